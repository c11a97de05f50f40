import { expect, test } from "vitest"
import { hint } from "./hint.ts"

const firstLine = async (given: string) => (await hint(given)).text.split("\n")[0]

test.each([
  ["kubelet", "05-kubelet"],
  ["containerd", "05-containerd.sh"],
  ["apiserver", "02"],
  ["Kube-APIserver", "02-apiserver"],
  ["scheduler", "04-scheduler"],
  ["etcd", "01-etcd"],
  ["objects", "03"],
  ["pod", "6"],
])("hint %s is the same as hint %s", async (name, lesson) => {
  expect((await hint(name)).data).toEqual((await hint(lesson)).data)
  expect(await firstLine(name)).toBe(await firstLine(lesson))
})

test("an unknown name is refused, with a suggestion only if one is near", async () => {
  await expect(hint("kublet")).rejects.toThrow("There is no lesson kublet. Did you mean kubelet? There are 01, ")
  await expect(hint("frobnicate")).rejects.toThrow(/frobnicate\. There are 01, .*, and etcd, kube-apiserver, /)
})

test("the answer of a script ends when its component has exited; one for a prompt never ends the shell", async () => {
  const loops = async (lesson: string) => (await hint(lesson, "3")).text.match(/^until .*$/gm)
  for (const lesson of ["01", "02", "04", "05"])
    for (const loop of (await loops(lesson)) ?? [""]) expect(loop).toContain("kill -0 $! || exit 1")
  for (const loop of (await loops("07")) ?? [""]) expect(loop).not.toContain("exit")
})

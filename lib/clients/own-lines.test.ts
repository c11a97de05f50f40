import { expect, test } from "vitest"
import { ownLines } from "./own-lines.ts"

const etcd = '{"level":"fatal","msg":"no data folder"}'
const containerd = 'time="2026-11-27T07:00:00Z" level=info msg="serving"'
const proxy = 'E1127 07:52:00.100000     7 run.go:72] "command failed" err="yaml: line 2"'
const kubelet = "I1127 07:52:01.100000    42 kubelet.go:1] ready"
const bash = "./10-network.sh: line 14: kill: (7) - No such process"
const shared = [etcd, containerd, proxy, kubelet, bash]

test.each([
  ["etcd", undefined, [etcd, bash]],
  ["containerd", 3, [containerd, bash]],
  ["kube-proxy", 7, [proxy, bash]],
  ["kubelet", 42, [kubelet, bash]],
  // Its process has another number in a container.
  ["kube-proxy", 1, [proxy, kubelet, bash]],
  ["kube-proxy", undefined, [proxy, kubelet, bash]],
] as const)("the lines of %s with pid %s in a log of several components", (name, pid, lines) => {
  expect(ownLines(shared, name, pid)).toEqual(lines)
})

test("a log without a line of its own has one empty line", () => {
  expect(ownLines([etcd], "kubelet", 1)).toEqual([""])
})

test("lines that begin with a blank belong to the line above them", () => {
  const lines = [proxy, "\tof kube-proxy", kubelet, "\tof kubelet", " >", bash]
  expect(ownLines(lines, "kube-proxy", 7)).toEqual([proxy, "\tof kube-proxy", bash])
  expect(ownLines(lines, "kubelet", 42)).toEqual([kubelet, "\tof kubelet", " >", bash])
})

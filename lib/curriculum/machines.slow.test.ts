import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { BlockedError, ComponentError } from "../clusters/errors.ts"
import { openScripts } from "../proof/testing/open-scripts.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { readFolder } from "../subjects/folder.ts"
import { Classroom } from "./classroom.ts"
import { Cleanups } from "./cleanups.ts"
import type { Kit } from "./kit.ts"
import { LessonRun } from "./lesson-run.ts"
import type { LessonSpec } from "./lesson-spec.ts"
import { NotChecked } from "./not-checked.ts"

let place: Workplace
beforeEach(async () => {
  place = await workplace()
})
afterEach(() => place[Symbol.asyncDispose]())

/** Outcomes of a lesson that needs etcd on two machines, checked on our own cluster. */
async function lessonOn(
  machines: LessonSpec["machines"],
  bodies: Readonly<Record<string, (kit: Kit) => Promise<void>>>,
): Promise<unknown[]> {
  const given = { ...(await artifacts(["etcd"])), images: undefined }
  const lesson: LessonSpec = {
    number: 1,
    slug: "two",
    title: "two machines",
    row: { topic: "", proves: "" },
    components: ["etcd"],
    ...(machines === undefined ? {} : { machines }),
    parts: [],
    outcomes: Object.fromEntries(Object.keys(bodies).map((title) => [title, { see: "", permits: "destroy" }])),
  }
  await using run = new LessonRun(
    () => Classroom.open(given, { ...place.settings, machine: "sandbox" }),
    (failure) => ({ failure, observed: failure.kind, unwell: [] }),
  )
  const results: unknown[] = []
  const lessonEnd = new Cleanups()
  for (const [title, body] of Object.entries(bodies)) {
    const cleanups = new Cleanups()
    results.push(
      await run.check({ lesson, title, body, meta: {}, cleanups, lessonEnd }).then(
        () => "passed",
        (error: unknown) => error,
      ),
    )
    await cleanups.run()
  }
  return results
}

describe("a lesson with further machines", () => {
  test("has the commands, components and clients of each", async () => {
    const results = await lessonOn(
      { "etcd-2": ["etcd"] },
      {
        "two clusters of one member": async ({ on, machine, etcd, etcdctl, sh, store, part }) => {
          const there = await on("etcd-2")
          expect((await on(machine.name)).machine).toBe(machine)
          expect((await on("etcd-2")).machine).toBe(there.machine)
          await etcdctl("put /at first")
          await there.etcdctl("put /at second")
          expect(await etcdctl("get /at --print-value-only")).toBe("first")
          expect(await there.etcdctl("get /at --print-value-only")).toBe("second")
          expect((await store.get("/at"))?.bytes.toString()).toBe("first")
          expect((await there.store.get("/at"))?.bytes.toString()).toBe("second")
          expect(await there.sh("hostname")).toBe("etcd-2")
          expect(await sh("hostname")).toBe("byhand")
          await there.etcd.kill()
          expect(there.etcd.isRunning).toBe(false)
          expect(etcd.isRunning).toBe(true)
          expect(there.part("kube-apiserver").isRunning).toBe(false)
          expect(part("etcd").isRunning).toBe(true)
        },
        "what a test has ended runs again, on a new machine too": async ({ on }) => {
          const there = await on("etcd-2")
          expect(await there.etcdctl("get /at --print-value-only")).toBe("second")
          await there.machine.close()
        },
        "an empty machine": async ({ on, etcdctl }) => {
          expect(await (await on("etcd-2")).etcdctl("get /at --print-value-only")).toBe("")
          expect(await etcdctl("get /at --print-value-only")).toBe("first")
        },
      },
    )
    expect(results).toEqual(["passed", "passed", "passed"])
  })

  test("cuts links, and finds them restored in the next outcome", async () => {
    const health = "endpoint health --command-timeout=3s"
    const there = { env: { ETCDCTL_ENDPOINTS: "http://etcd-2:2379" } }
    const results = await lessonOn(
      { "etcd-2": [] },
      {
        cut: async ({ on, link, etcdctl }) => {
          await (await on("etcd-2")).etcd.start({ "--listen-client-urls": "http://0.0.0.0:2379" })
          await etcdctl(health, there)
          await link("etcd-2").down()
          await expect(etcdctl(health, there)).rejects.toThrow()
        },
        whole: async ({ etcdctl }) => {
          await etcdctl(health, there)
        },
        delayed: async ({ link, etcdctl }) => {
          await link("etcd-2").delay(5000)
          await expect(etcdctl(health, there)).rejects.toThrow()
        },
      },
    )
    expect(results.slice(0, 2)).toEqual(["passed", "passed"])
    // Not every kernel has netem.
    if (results[2] !== "passed") {
      expect(results[2]).toBeInstanceOf(NotChecked)
      expect(results[2]).toMatchObject({
        message: expect.stringMatching(/^cannot check here: this host .*netem/) as string,
      })
    }
  })

  test("fails once if a component does not start there, and is blocked after that", async () => {
    const results = await lessonOn(
      { "etcd-2": ["kube-scheduler"] }, // Its program is not on the machine.
      { first: () => Promise.resolve(), second: () => Promise.resolve() },
    )
    expect(results[0]).not.toBeInstanceOf(NotChecked)
    expect(String(results[0])).toMatch(/kube-scheduler/)
    expect(results[1]).toBeInstanceOf(NotChecked)
  })
})

describe("a learner's folder", () => {
  const etcd = (name: string, more = "") => `
    ${more}
    exec etcd --name ${name} --data-dir /var/lib/etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://$(hostname):2379
  `
  const scriptNumberOf = (name: string, on: string | undefined) => (name !== "etcd" ? 99 : on === undefined ? 1 : 11)

  test("runs scripts on the machine that their names name, in the order of their names", async () => {
    const files = {
      "01-etcd.sh": etcd("one"),
      "11-etcd.sh": `echo token >/shared/token; hostname >>/shared/order`,
      "11-etcd@etcd-2.sh": etcd("two", `hostname >>/shared/order; cat /shared/token >/root/token`),
      "11-later.sh": `until [ "$(hostname)" = byhand ] || [ -e /shared/order ]; do sleep 0.1; done; hostname >>/shared/order; touch /shared/done`,
      "11-etcd@etcd-3.sh": `exit 1`,
    }
    await using opened = await openScripts(place, await artifacts(["etcd"]), files, { scriptNumberOf })
    const { cluster, machine } = opened
    await cluster.ensure(["etcd"])
    const two = await cluster.on("etcd-2")
    expect(await cluster.on("etcd-2")).toBe(two)
    expect(two.part("etcd").isRunning).toBe(false)
    await two.ensure(["etcd"])
    expect(two.part("etcd").argv).toContain("two")
    expect(cluster.part("etcd").argv).toContain("one")
    const read = async (path: string) => (await machine.read(path)).toString()
    expect((await two.machine.read("/root/token")).toString()).toBe("token\n")
    expect((await two.machine.read("/root/cluster/01-etcd.sh")).toString()).toBe(files["01-etcd.sh"])
    const three = await cluster.on("etcd-3")
    await expect(three.ensure(["etcd"])).rejects.toBeInstanceOf(ComponentError)
    await expect(three.ensure(["etcd"])).rejects.toBeInstanceOf(BlockedError)
    // This script comes after those of the further machines.
    await expect.poll(() => read("/shared/done")).toBe("")
    expect(await read("/shared/order")).toBe(`${machine.name}\netcd-2\n${machine.name}\n`)
    expect(two.part("etcd").isRunning).toBe(true)
    await two.part("etcd").restart()
    expect((await two.machine.run(["etcdctl", "endpoint", "health"])).exitCode).toBe(0)
  })

  test("must not name a machine that no lesson has", async () => {
    const files = { "10-kubelet@node2.sh": "" }
    await expect(openScripts(place, await artifacts(["etcd"]), files, { scriptNumberOf })).rejects.toThrow(
      /10-kubelet@node2\.sh names the machine node2, which no lesson has.*node-2, etcd-2, etcd-3/,
    )
    await expect(readFolder("/nowhere")).rejects.toBeInstanceOf(UsageError)
  })
})

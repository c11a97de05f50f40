import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { argvOf, withFlags, type Component } from "../components/component.ts"
import { specOf } from "../components/registry.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { Cluster } from "./cluster.ts"
import { explain } from "../diagnosis/explain.ts"
import type { Explain } from "../failures/failure.ts"
import { ComponentError } from "./errors.ts"
import type { Known } from "./known.ts"
import { ManagedComponent, type Surroundings } from "./managed-component.ts"

let place: Workplace
let machine: Machine
let cluster: Cluster
let surroundings: Surroundings
const { binds } = await artifacts(["kube-apiserver"])
beforeAll(async () => {
  place = await workplace()
})
afterAll(() => place[Symbol.asyncDispose]())
beforeEach(async () => {
  machine = (await startSandbox({ name: place.name, binds, settings: place.settings })).machine
  cluster = new Cluster({ machine, images: undefined, patience: 60_000, explain: explainBy(() => cluster.known()) })
  surroundings = {
    machine,
    patience: 60_000,
    administrator: async () => ({ ca: await cluster.ca(), token: cluster.token }),
    prepare: () => cluster.writeFiles(),
    explain: explainBy(() => cluster.known()),
  }
})
afterEach(() => machine.close())

const exitedOrForeign = expect.stringMatching(/^(?:component-exited|foreign-listener)$/) as string
const facts = {
  token: "t",
  encryptionKey: "",
  bootstrapToken: "b.b",
  node: "byhand",
  nodeIp: "",
  pauseImage: "",
  images: [],
  mayAdjustOomScore: false,
}
const etcd = specOf("etcd").describe(facts)
const apiserver = specOf("kube-apiserver").describe(facts)
/** A managed component that differs from the one of the cluster. */
const managed = (component: Component, around: Surroundings = surroundings) => {
  const made: ManagedComponent = new ManagedComponent(component.name, () => component, {
    ...around,
    explain: explainBy(() => [made.known]),
  })
  return made
}
const failureOf = (start: Promise<void>) =>
  start.then(
    () => {
      throw new Error("It started.")
    },
    (error: unknown) => error,
  )
/** The function with which a lesson explains a failure. */
const explainBy =
  (known: () => readonly Known[]): Explain =>
  async (failure) =>
    (await explain(machine, failure, { known: known() })).finding
const isThere = async (pid: number) => (await machine.run(["kill", "-0", String(pid)])).exitCode === 0

describe("a component that exits before it is ready is reported at once, with its cause and its last log lines", () => {
  test("an unknown flag", async () => {
    const wrong = managed(withFlags(apiserver, { "--etcd-serverz=x": "" }))
    const error = await failureOf(wrong.start())
    expect(error).toMatchObject({ failure: { kind: "component-exited" } })
    expect(error).toMatchObject({
      component: "kube-apiserver",
      finding: { id: "unknown-flag", evidence: expect.stringContaining("--etcd-serverz") as string },
    })
    expect(String(error)).toMatch(
      /kube-apiserver exited with 1 after [\d.]+ s: kube-apiserver does not know the flag --etcd-serverz\. The nearest flag that it knows is --etcd-servers\.\n {4}.*/,
    )
    expect([wrong.isRunning, wrong.failure]).toEqual([false, error])
  })

  test("kube-apiserver without etcd; the log of an earlier start causes no finding for a later start", async () => {
    const error = await failureOf(cluster.part("kube-apiserver").start())
    expect(error).toMatchObject({ failure: { kind: "component-exited" } })
    expect(error).toMatchObject({
      finding: { id: "etcd-unreachable", cause: expect.stringContaining("127.0.0.1:2379") as string },
    })
    const other = managed(withFlags(apiserver, { "--nonsense": "" }))
    expect(await failureOf(other.start())).toMatchObject({ finding: { id: "unknown-flag" } })
  })

  test("a port that is taken: the error names the process that holds it", async () => {
    await cluster.part("etcd").start()
    const second = managed(withFlags(etcd, { "--data-dir": "/var/lib/second" }))
    const error = await failureOf(second.start())
    // Until the second etcd exits, the first one answers the probe. So either failure can be seen first.
    expect(error).toMatchObject({ failure: { kind: exitedOrForeign }, finding: { id: "port-taken" } })
    expect(String(error)).toContain(`etcd (pid ${cluster.part("etcd").pid})`)
    expect(cluster.part("etcd").isRunning).toBe(true)
  })

  test("a binary that does not exist", async () => {
    const missing = managed({ ...etcd, binary: "kubelet" })
    await expect(missing.start()).rejects.toThrow(/^kubelet could not be started: .*ENOENT/)
  })
})

test("another process that answers the probe is not accepted as the component", async () => {
  const stranger = await machine.spawn(
    ["/run/byhand/node", "-e", `require("http").createServer((q, s) => s.end("{}")).listen(2379, "127.0.0.1")`],
    { log: "/tmp/stranger.log" },
  )
  await expect.poll(async () => (await machine.run(["ss", "-tlnH", "sport = :2379"])).stdout).not.toBe("")
  // This process has etcd's flags and listens nowhere.
  // A shell is no tool of ours.
  const silent = managed({ ...etcd, binary: "sh" as "etcd", subcommand: ["-c", "sleep 60"] })
  const error = await failureOf(silent.start())
  expect(error).toMatchObject({ failure: { kind: "foreign-listener" } })
  expect(String(error)).toMatch(
    new RegExp(`etcd \\(pid \\d+\\) does not hold port 2379, .* \\(pid ${stranger.pid}\\) does`),
  )
  expect(silent.isRunning).toBe(false)
  // The real etcd exits because its port is taken, or the foreign listener is detected first.
  const real = await failureOf(cluster.part("etcd").start())
  expect(real).toMatchObject({ failure: { kind: exitedOrForeign } })
  expect(String(real)).toContain(`pid ${stranger.pid}`)
})

test("a component that hangs is reported after the timeout, with its last log lines, and is killed", async () => {
  const hanging = managed(etcd, {
    ...surroundings,
    patience: 1_000,
    probe: () => ({ by: "http", host: "127.0.0.1", port: 2998, path: "/" }),
  })
  const started = hanging.start()
  await expect.poll(() => hanging.isRunning).toBe(true)
  const { pid } = hanging
  const error = await failureOf(started)
  expect(error).toMatchObject({ failure: { kind: "not-ready" } })
  expect(String(error)).toMatch(
    /etcd was not ready after [\d.]+ s\. No known cause matches\. The last lines of its log \(\/var\/log\/byhand\/etcd\.log\):\n {4}/,
  )
  expect(await isThere(pid)).toBe(false)
})

test("a component that is suspended (SIGSTOP) during its start is reported after the timeout too, and is killed", async () => {
  const stuck = managed(etcd, { ...surroundings, patience: 1_000 })
  await cluster.writeFiles()
  const started = failureOf(stuck.start())
  await expect.poll(() => stuck.isRunning, { interval: 1 }).toBe(true)
  const { pid } = stuck
  await machine.run(["kill", "-STOP", String(pid)])
  expect(await started).toMatchObject({ failure: { kind: "not-ready" } })
  expect(await isThere(pid)).toBe(false)
})

describe("the end of a component", () => {
  test("stop lets it shut down and kill does not; in both cases it has ended, and it starts again with its data", async () => {
    await cluster.part("etcd").start()
    const first = cluster.part("etcd").pid
    expect((await machine.run(["etcdctl", "put", "/hello", "world"])).stdout).toBe("OK\n")
    await cluster.part("etcd").stop()
    expect((await cluster.part("etcd").log()).join("\n")).toContain("received signal; shutting down")
    expect([cluster.part("etcd").isRunning, await isThere(first)]).toEqual([false, false])
    expect(() => cluster.part("etcd").pid).toThrow(ComponentError)
    await cluster.part("etcd").stop() // etcd does not run, so this does nothing.

    await cluster.part("etcd").start()
    expect((await machine.run(["etcdctl", "get", "/hello", "--print-value-only"])).stdout).toBe("world\n")
    const second = cluster.part("etcd").pid
    await cluster.part("etcd").start() // etcd runs, so this does nothing.
    expect(cluster.part("etcd").pid).toBe(second)
    await cluster.part("etcd").kill()
    expect([cluster.part("etcd").isRunning, await isThere(second)]).toEqual([false, false])
  })

  test("a component that ignores SIGTERM is killed", async () => {
    await cluster.part("etcd").start()
    const { pid } = cluster.part("etcd")
    await machine.run(["kill", "-STOP", String(pid)]) // A suspended process handles SIGTERM only when it is resumed.
    await cluster.part("etcd").stop()
    expect(await isThere(pid)).toBe(false)
  })

  test("the end of a component that another process kills is detected", async () => {
    await cluster.part("etcd").start()
    await machine.run(["kill", "-KILL", String(cluster.part("etcd").pid)])
    await expect.poll(() => cluster.part("etcd").isRunning).toBe(false)
  })
})

test("two starts at the same time start one process", async () => {
  await Promise.all([cluster.part("etcd").start(), cluster.part("etcd").start()])
  expect((await machine.run(["pgrep", "-c", "etcd"])).stdout).toBe("1\n")
})

test("etcd and kube-apiserver start with the described command lines; a second instance ends with its block", async () => {
  await cluster.ensure(["kube-apiserver"])
  expect(argvOf(cluster.part("kube-apiserver").component)).toEqual(
    (await machine.read(`/proc/${cluster.part("kube-apiserver").pid}/cmdline`)).toString().split("\0").slice(0, -1),
  )
  expect((await machine.run(["kubectl", "get", "namespace", "default", "-o", "name"])).stdout).toBe(
    "namespace/default\n",
  )
  const pids: number[] = []
  {
    await using other = await cluster.part("kube-apiserver").another({ "--secure-port": "6444" })
    pids.push(other.pid)
    expect(await isThere(other.pid)).toBe(true)
  }
  expect(await Promise.all(pids.map(isThere))).toEqual([false])
})

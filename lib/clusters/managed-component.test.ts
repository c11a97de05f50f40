import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { apiserver } from "../components/apiserver.ts"
import { argvOf, type Component } from "../components/component.ts"
import { etcd } from "../components/etcd.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { equipment, workplace, type Workplace } from "../proof/testing/workplace.ts"
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
const { binds } = await equipment(2)
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
    token: cluster.token,
    ca: () => cluster.ca(),
    prepare: () => cluster.writeFiles(),
    explain: explainBy(() => cluster.known()),
  }
})
afterEach(() => machine.close())

const exitedOrForeign = expect.stringMatching(/^(?:component-exited|foreign-listener)$/) as string
const api = { etcdPort: 2379, port: 6443, token: "t", storage: "json" } as const
/** A component with one flag more. */
const withFlag =
  <Options>(describe: (options: Options) => Component, flag: string) =>
  (options: Options): Component => {
    const component = describe(options)
    return { ...component, flags: [...component.flags, { flag }] }
  }
const failureOf = (start: Promise<void>) =>
  start.then(
    () => {
      throw new Error("It started.")
    },
    (error: unknown) => error,
  )
/** The diagnosis, as a lesson asks for it. */
const explainBy =
  (known: () => readonly Known[]): Explain =>
  async (failure) =>
    (await explain(machine, known(), failure)).finding
const isThere = async (pid: number) => (await machine.run(["kill", "-0", String(pid)])).exitCode === 0

describe("a component that ends before it is ready is reported at once, with why and its last lines", () => {
  test("an unknown flag", async () => {
    const wrong: ManagedComponent<typeof api> = new ManagedComponent(withFlag(apiserver, "--etcd-serverz=x"), api, {
      ...surroundings,
      explain: explainBy(() => [wrong.known]),
    })
    const error = await failureOf(wrong.start())
    expect(error).toMatchObject({ failure: { kind: "component-exited" } })
    expect(error).toMatchObject({
      component: "kube-apiserver",
      finding: { id: "unknown-flag", evidence: expect.stringContaining("--etcd-serverz") as string },
    })
    expect(String(error)).toMatch(
      /kube-apiserver exited with 1 after [\d.]+ s: kube-apiserver does not know the flag --etcd-serverz\. The nearest that it knows is --etcd-servers\.\n {4}.*/,
    )
    expect([wrong.isRunning, wrong.failure]).toEqual([false, error])
  })

  test("kube-apiserver without etcd; and what an earlier start logged is no finding of a later one", async () => {
    const error = await failureOf(cluster.apiserver.start())
    expect(error).toMatchObject({ failure: { kind: "component-exited" } })
    expect(error).toMatchObject({
      finding: { id: "etcd-unreachable", cause: expect.stringContaining("127.0.0.1:2379") as string },
    })
    const other: ManagedComponent<typeof api> = new ManagedComponent(withFlag(apiserver, "--nonsense"), api, {
      ...surroundings,
      explain: explainBy(() => [other.known]),
    })
    expect(await failureOf(other.start())).toMatchObject({ finding: { id: "unknown-flag" } })
  })

  test("a port that is taken: who has it is named", async () => {
    await cluster.etcd.start()
    const second = new ManagedComponent(etcd, { dataDir: "/var/lib/second", port: 2379 }, surroundings)
    const error = await failureOf(second.start())
    // The other one answers in its place until it ends: whichever is seen first.
    expect(error).toMatchObject({ failure: { kind: exitedOrForeign }, finding: { id: "port-taken" } })
    expect(String(error)).toContain(`etcd (pid ${cluster.etcd.pid})`)
    expect(cluster.etcd.isRunning).toBe(true)
  })

  test("a binary that is not there", async () => {
    const missing = new ManagedComponent(
      (options: { dataDir: string; port: number }) => ({ ...etcd(options), binary: "kubelet" as const }),
      { dataDir: "/d", port: 2379 },
      surroundings,
    )
    await expect(missing.start()).rejects.toThrow(/^kubelet could not be started: .*ENOENT/)
  })
})

test("somebody else who answers is not taken for the component", async () => {
  const stranger = await machine.spawn(
    ["/run/byhand/node", "-e", `require("http").createServer((q, s) => s.end("{}")).listen(2379, "127.0.0.1")`],
    { log: "/tmp/stranger.log" },
  )
  await expect.poll(async () => (await machine.run(["ss", "-tlnH", "sport = :2379"])).stdout).not.toBe("")
  // It runs, and does not hold the port that it says it holds.
  const silent = new ManagedComponent(
    (options: { dataDir: string; port: number }): Component => {
      const { flags, ...rest } = etcd(options)
      return { ...rest, flags: flags.map((flag) => ({ ...flag, value: flag.value?.replace("2379", "2999") ?? "" })) }
    },
    { dataDir: "/var/lib/etcd", port: 2379 },
    surroundings,
  )
  const error = await failureOf(silent.start())
  expect(error).toMatchObject({ failure: { kind: "foreign-listener" } })
  expect(String(error)).toMatch(
    new RegExp(`etcd \\(pid \\d+\\) does not hold port 2379, .* \\(pid ${stranger.pid}\\) does`),
  )
  expect(silent.isRunning).toBe(false)
  // The real one ends by itself, or is found out.
  const real = await failureOf(cluster.etcd.start())
  expect(real).toMatchObject({ failure: { kind: exitedOrForeign } })
  expect(String(real)).toContain(`pid ${stranger.pid}`)
})

test("one that hangs runs out of time, says so with its last lines, and does not go on", async () => {
  const hanging = new ManagedComponent(
    (options: { dataDir: string; port: number }): Component => ({
      ...etcd(options),
      ready: { by: "http", port: 2998, path: "/", tls: false },
    }),
    { dataDir: "/var/lib/etcd", port: 2379 },
    { ...surroundings, patience: 1_000 },
  )
  const started = hanging.start()
  await expect.poll(() => hanging.isRunning).toBe(true)
  const { pid } = hanging
  const error = await failureOf(started)
  expect(error).toMatchObject({ failure: { kind: "not-ready" } })
  expect(String(error)).toMatch(
    /etcd was not ready after [\d.]+ s\. No known cause fits; its log \(\/var\/log\/byhand\/etcd\.log\) ends:\n {4}/,
  )
  expect(await isThere(pid)).toBe(false)
})

test("one that is stopped (SIGSTOP) while it boots runs out of time too, and is gone", async () => {
  const stuck = new ManagedComponent(
    etcd,
    { dataDir: "/var/lib/etcd", port: 2379 },
    { ...surroundings, patience: 1_000 },
  )
  await cluster.writeFiles()
  const started = failureOf(stuck.start())
  await expect.poll(() => stuck.isRunning, { interval: 1 }).toBe(true)
  const { pid } = stuck
  await machine.run(["kill", "-STOP", String(pid)])
  expect(await started).toMatchObject({ failure: { kind: "not-ready" } })
  expect(await isThere(pid)).toBe(false)
})

describe("the end of a component", () => {
  test("stop lets it finish, kill does not; either way it is gone, and it comes back with what it kept", async () => {
    await cluster.etcd.start()
    const first = cluster.etcd.pid
    expect((await machine.run(["etcdctl", "put", "/hello", "world"])).stdout).toBe("OK\n")
    await cluster.etcd.stop()
    expect((await cluster.etcd.log()).join("\n")).toContain("received signal; shutting down")
    expect([cluster.etcd.isRunning, await isThere(first)]).toEqual([false, false])
    expect(() => cluster.etcd.pid).toThrow(ComponentError)
    await cluster.etcd.stop() // Nothing to do.

    await cluster.etcd.start()
    expect((await machine.run(["etcdctl", "get", "/hello", "--print-value-only"])).stdout).toBe("world\n")
    const second = cluster.etcd.pid
    await cluster.etcd.start() // It runs.
    expect(cluster.etcd.pid).toBe(second)
    await cluster.etcd.kill()
    expect([cluster.etcd.isRunning, await isThere(second)]).toEqual([false, false])
  })

  test("one that ignores SIGTERM is killed", async () => {
    await cluster.etcd.start()
    const { pid } = cluster.etcd
    await machine.run(["kill", "-STOP", String(pid)]) // A stopped process takes SIGTERM only once it goes on.
    await cluster.etcd.stop()
    expect(await isThere(pid)).toBe(false)
  })

  test("its own end is seen", async () => {
    await cluster.etcd.start()
    await machine.run(["kill", "-KILL", String(cluster.etcd.pid)])
    await expect.poll(() => cluster.etcd.isRunning).toBe(false)
  })
})

test("two starts at once start one", async () => {
  await Promise.all([cluster.etcd.start(), cluster.etcd.start()])
  expect((await machine.run(["pgrep", "-c", "etcd"])).stdout).toBe("1\n")
})

test("etcd and kube-apiserver come up and are who they say; another of its kind is ended with its block", async () => {
  await cluster.upTo(2)
  expect(argvOf(cluster.apiserver.component)).toEqual(
    (await machine.read(`/proc/${cluster.apiserver.pid}/cmdline`)).toString().split("\0").slice(0, -1),
  )
  expect((await machine.run(["kubectl", "get", "namespace", "default", "-o", "name"])).stdout).toBe(
    "namespace/default\n",
  )
  const pids: number[] = []
  {
    await using other = await cluster.apiserver.another({ "--secure-port": "6444" })
    pids.push(other.pid)
    expect(await isThere(other.pid)).toBe(true)
  }
  expect(await Promise.all(pids.map(isThere))).toEqual([false])
})

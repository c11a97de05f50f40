import { execa } from "execa"
import { once } from "node:events"
import { existsSync, readFileSync, statSync } from "node:fs"
import { chmod, chown, cp, mkdir, readFile, realpath, symlink, writeFile } from "node:fs/promises"
import { createServer, type AddressInfo, type Server } from "node:net"
import { networkInterfaces } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { useEngine, type OwnEngine } from "../proof/testing/engine.ts"
import { waysOut, type Host, type WayOut } from "../proof/testing/ways-out.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"
import type { Machine } from "./machine.ts"
import type { Limits } from "./limits.ts"
import type { Kind, Started } from "./provider.ts"
import { providerOf } from "./providers.ts"

const isRoot = process.getuid?.() === 0
const hasV2 = existsSync("/sys/fs/cgroup/cgroup.controllers")
const MIB = 2 ** 20

let place: Workplace
let host: Host
const sleeper = (word: string) =>
  execa("sh", ["-c", "sleep 600; true", word], { reject: false, stdin: "ignore", detached: true })
let bystander: ReturnType<typeof sleeper>
const servers: Server[] = []
let visits = 0

beforeAll(async () => {
  place = await workplace()
  const word = `bystander-${place.name}`
  const [file, given] = [join(place.folder, "of-the-host"), join(place.folder, "given")]
  for (const path of [file, given]) await writeFile(path, "untouched", { mode: 0o644 })
  bystander = sleeper(word)
  const listen = async (where: number | string) => {
    const server = createServer((socket) => {
      visits += 1
      socket.destroy()
    })
    servers.push(server)
    await once(typeof where === "number" ? server.listen(where, "0.0.0.0") : server.listen(where), "listening")
    return server
  }
  // The server listens on a port, so its address is an AddressInfo.
  const port = ((await listen(0)).address() as AddressInfo).port
  await listen(`\0${place.name}`)
  const address =
    Object.values(networkInterfaces())
      .flat()
      .find((found) => found?.family === "IPv4" && !found.internal)?.address ?? "127.0.0.1"
  const { dev } = statSync(place.folder)
  host = {
    file,
    given,
    pid: bystander.pid ?? 0,
    word,
    port,
    abstract: place.name,
    address,
    disk: `${(dev >> 8) & 0xfff} ${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`,
  }
})

afterAll(async () => {
  for (const server of servers) server.close()
  process.kill(-(bystander.pid ?? 0), "SIGKILL") // Kill the whole process group, because the shell has a child process.
  await bystander
  await place[Symbol.asyncDispose]()
})

/** The parts of the host that an attempt could change. */
async function look() {
  const { settings, mounts, links, tables } = await place.census()
  return {
    files: [host.file, host.given].map((path) => [readFileSync(path, "utf8"), statSync(path).mode]),
    agent: readFileSync(join(packageRoot, "dist", "machines", "agent", "agent.mjs"), "utf8").length,
    devices: ["/dev/null", "/dev/zero"].map((path) => statSync(path).mode),
    core: readFileSync("/proc/sys/kernel/core_pattern", "utf8"),
    bystander: bystander.exitCode,
    visits,
    settings,
    mounts: mounts.length,
    links,
    tables,
  }
}

/** Limits that a test reaches quickly. */
const SMALL = { memory: 256 * MIB, processes: 100, disk: 32 * MIB } as const satisfies Limits

async function start(limits: Limits, machine: Kind = "sandbox"): Promise<Started> {
  return providerOf(machine, place.settings).start({
    name: place.name,
    binds: [{ source: host.given, target: "/usr/local/bin/given" }],
    limits,
  })
}

async function output(machine: Machine, line: string): Promise<string> {
  const { stdout, stderr } = await machine.run(["sh", "-c", line], { timeout: 60_000 })
  return stdout + stderr
}

const closedTo =
  (kind: WayOut["closed"][number]) =>
  ({ closed }: WayOut) =>
    closed.includes(kind)

const kinds: readonly Kind[] = ["sandbox", "container"]
describe.skipIf(!isRoot).each(kinds)("a machine made by root, a %s,", (kind) => {
  let engine: OwnEngine | undefined
  let started: Started
  beforeAll(async () => {
    engine = kind === "container" ? await useEngine() : undefined
    started = await start(SMALL, kind)
  })
  afterAll(async () => {
    await started.machine.close()
    await engine?.[Symbol.asyncDispose]()
  })

  // vitest needs the titles before the host is prepared.
  const unknown: Host = { file: "", given: "", pid: 0, word: "", port: 0, abstract: "", address: "", disk: "" }
  const ways = waysOut(unknown).filter((way) => closedTo("root")(way) || (!hasV2 && closedTo("root, cgroup v1")(way)))
  test.each(ways.map(({ what }) => what))("its root cannot %s", async (what) => {
    const way = waysOut({ ...host, given: "/usr/local/bin/given" }).find((each) => each.what === what)
    const before = await look()
    expect(await output(started.machine, way?.line ?? "")).toMatch(way?.meets ?? /never/)
    expect(await look()).toEqual(before)
  })

  test("gives its root only the capabilities that components and containers need", async () => {
    const { stdout } = await started.machine.run(["setpriv", "--dump"])
    const bounds = /Capability bounding set: (.*)/.exec(stdout)?.[1]?.split(",") ?? []
    const kept = [
      "chown",
      "dac_override",
      "fowner",
      "fsetid",
      "kill",
      "setgid",
      "setuid",
      "setpcap",
      "net_bind_service",
      "net_admin",
      "net_raw",
      "sys_chroot",
      "sys_ptrace",
      "sys_admin",
      "sys_resource",
      "mknod",
      "audit_write",
      "setfcap",
    ]
    expect(bounds.filter((power) => !kept.includes(power))).toEqual([])
    // Containers need it. It is also the reason why a machine does not stop malicious code.
    expect(bounds).toContain("sys_admin")
    // All processes have the same bounding set, so no process can get more capabilities from another process.
    expect(await output(started.machine, "grep -h CapBnd /proc/[0-9]*/status | sort -u | wc -l")).toBe("1\n")
  })

  test("has no more processes than its limit, and its root cannot raise the limit", async () => {
    const swarm = `for i in $(seq ${2 * SMALL.processes}); do sleep 5 & done`
    expect(await output(started.machine, swarm)).toMatch(/Cannot fork|Resource temporarily unavailable/)
    await output(
      started.machine,
      "pkill sleep; for limit in $(find /sys/fs/cgroup -name pids.max); do echo max >$limit; done",
    )
    expect(await output(started.machine, swarm)).toMatch(/Cannot fork|Resource temporarily unavailable/)
    await output(started.machine, "pkill sleep")
  })

  test("has no more memory than its limit, and its root cannot raise the limit", async () => {
    const hog = `head -c ${2 * SMALL.memory} /dev/zero | tail -c ${2 * SMALL.memory} | wc -c`
    expect(await output(started.machine, hog)).toMatch(/^0\n[^]*Killed/)
    await output(
      started.machine,
      "for limit in $(find /sys/fs/cgroup -name memory.max -o -name memory.limit_in_bytes); do echo -1 >$limit || echo max >$limit; done",
    )
    expect(await output(started.machine, hog)).toMatch(/^0\n[^]*Killed/)
  })

  test("writes no more than its limit, in any folder", async () => {
    for (const folder of ["/tmp", "/usr/local/bin", "/root", "/var/log/byhand", "/etc", "/var/lib"]) {
      const line = `mkdir -p ${folder}; head -c ${2 * SMALL.disk} /dev/zero >${folder}/much; rm ${folder}/much`
      expect(await output(started.machine, line)).toMatch(/No space left on device/)
    }
  })

  test("keeps its logs and leaves no mount if its files are in memory", async () => {
    const { machine, logs, folder } = await start(SMALL, kind)
    await (
      await machine.spawn(["echo", "hello"], { log: "/var/log/byhand/etcd.log" })
    ).exit
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(folder)
    await machine.close()
    expect(await readFile(join(logs, "etcd.log"), "utf8")).toBe("hello\n")
    expect(existsSync(folder)).toBe(false)
  })
})

test("a machine ends when its time limit is over; pending calls fail with the reason, and nothing is left", async () => {
  const before = await place.census()
  const { machine } = await start({ seconds: 8 })
  const { exit } = await machine.spawn(["sleep", "60"], { log: "/tmp/log" })
  await expect(machine.run(["sleep", "60"])).rejects.toThrow(
    `The machine ${place.name} has ended: its time limit of 8 seconds was over. Start it again.`,
  )
  expect(await exit).toEqual({ code: null, signal: "SIGKILL" })
  const without = ({ processes, cgroups, namespaces, files }: typeof before) => ({
    processes,
    cgroups,
    namespaces,
    files,
  })
  await expect.poll(async () => without(await place.census()), { timeout: 20_000 }).toEqual(without(before))
})

test("a machine that ends before its time limit leaves no timer process", async () => {
  const { machine } = await start({ seconds: 4321 })
  await machine.close()
  expect((await execa("pgrep", ["-f", "sleep 4321"], { reject: false })).stdout).toBe("")
})

test.skipIf(!isRoot)(
  "the root of a machine made by an ordinary user cannot reach the host (the test needs root to become that user)",
  async () => {
    // Other users may not be able to read the checkout. So the machine gets a copy, and the process that starts it can
    // read everything.
    const copy = join(place.folder, "copy")
    for (const part of ["dist", "package.json", "lib/machines"])
      await cp(join(packageRoot, part), join(copy, part), { recursive: true, preserveTimestamps: true })
    await symlink(await realpath(join(packageRoot, "node_modules")), join(copy, "node_modules"))
    const mine = join(place.folder, "mine")
    await mkdir(mine)
    await writeFile(join(mine, "given"), "untouched")
    for (const path of [mine, join(mine, "given")]) await chown(path, 1000, 1000)
    await chmod(place.folder, 0o755)
    const ways = waysOut({ ...host, given: "/usr/local/bin/given" }).filter(closedTo("user"))
    const program = `
    import { startSandbox } from ${JSON.stringify(join(copy, "dist/machines/sandbox.js"))}
    import { readSettings } from ${JSON.stringify(join(copy, "dist/base/settings.js"))}
    const { machine } = await startSandbox({ name: ${JSON.stringify(place.name)}, binds: [{ source: ${JSON.stringify(join(mine, "given"))}, target: "/usr/local/bin/given" }], settings: readSettings() })
    const met = []
    for (const line of ${JSON.stringify(ways.map(({ line }) => line))}) {
      const { stdout, stderr } = await machine.run(["sh", "-c", line])
      met.push(stdout + stderr)
    }
    await machine.close()
    console.log(JSON.stringify(met))`
    const before = await look()
    const { stdout, stderr } = await execa(
      "setpriv",
      [
        "--reuid",
        "1000",
        "--regid",
        "1000",
        "--clear-groups",
        "--inh-caps",
        "+dac_read_search",
        "--ambient-caps",
        "+dac_read_search",
        process.execPath,
        "--input-type=module",
        "--eval",
        program,
      ],
      {
        reject: false,
        stdin: "ignore",
        env: {
          BYHAND_PRIVILEGE: "user",
          HOME: mine,
          BYHAND_RUNS: join(mine, "runs"),
          BYHAND_CACHE: join(mine, "cache"),
        },
      },
    )
    expect(stderr).toBe("")
    const met = JSON.parse(stdout) as string[] // Printed a few lines above.
    expect(
      ways.flatMap(({ what, meets }, index) => (meets.test(met[index] ?? "") ? [] : [{ what, met: met[index] }])),
    ).toEqual([])
    expect(readFileSync(join(mine, "given"), "utf8")).toBe("untouched")
    expect(await look()).toEqual(before)
  },
)

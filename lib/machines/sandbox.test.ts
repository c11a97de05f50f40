import { execa } from "execa"
import { existsSync, readFileSync } from "node:fs"
import { chmod, chown, cp, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { packageRoot } from "../base/settings.ts"
import { speaks } from "../proof/testing/speaks.ts"
import type { Census } from "../proof/testing/census.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { attachMachine } from "./providers.ts"
import { MachineStartError } from "./run-folder.ts"
import { startSandbox } from "./sandbox.ts"
import { settingsText } from "./supervisor-settings.ts"

const isRoot = process.getuid?.() === 0

let place: Workplace
let before: Census
beforeEach(async () => {
  place = await workplace()
  before = await place.census()
})
afterEach(() => place[Symbol.asyncDispose]())

const start = (id?: string) =>
  startSandbox({ name: place.name, binds: [], settings: place.settings, ...(id === undefined ? {} : { id }) })

/** Starts another process that runs a program with the project's library. Needs the build in dist. */
function another(
  program: string,
  options: { settings?: object; wrap?: readonly string[]; env?: Record<string, string>; root?: string } = {},
) {
  const root = options.root ?? packageRoot
  const [file, ...args] = [
    ...(options.wrap ?? []),
    process.execPath,
    "--input-type=module",
    "--eval",
    `
    import { startSandbox } from ${JSON.stringify(join(root, "dist/machines/sandbox.js"))}
    import { Cluster } from ${JSON.stringify(join(root, "dist/clusters/cluster.js"))}
    import { readSettings } from ${JSON.stringify(join(root, "dist/base/settings.js"))}
    const settings = readSettings(), name = ${JSON.stringify(place.name)}
    ${program}`,
  ]
  return execa(file ?? "", args, {
    reject: false,
    env: { BYHAND_RUNS: place.settings.runsDir, BYHAND_CACHE: place.settings.cacheDir, ...options.env },
    stdin: "ignore",
  })
}

describe("a machine", () => {
  test("has its own host name, file system, processes and network", async () => {
    const { machine, privilege } = await start()
    const sh = async (line: string) => (await machine.run(["sh", "-c", line])).stdout.trim()
    expect(machine.privileged).toBe(privilege !== "user")
    expect(await sh("hostname; cat /etc/hostname")).toBe(`${place.name}\n${place.name}`)
    expect(hostname()).not.toBe(place.name)
    expect(await sh("ip -brief address show eth0")).toContain(`${machine.address}/24`)
    expect(await sh("ip route get 192.0.2.1")).toContain("dev eth0")
    expect(await sh("ps -e -o comm= | sort -u")).not.toContain("vitest")
    expect(await sh("ss -tlnH | wc -l")).toBe("0")
    expect(await sh("grep -c . /proc/mounts")).not.toBe("0")
    // The line for /usr contains the upper folder of the overlay. No other line contains a path of the host.
    expect(await sh(`grep -F ${place.folder} /proc/mounts | wc -l`)).toBe("1")
    await machine.close()
  })

  test("never writes to the host, and cannot read the host's homes, secrets and temporary files", async () => {
    await writeFile(join(place.folder, "of-the-host"), "secret")
    const { machine } = await start()
    const paths = ["/usr/share", "/usr/bin", "/etc", "/tmp", "/var/lib", "/root", "/opt", "/run", "/home"].map(
      (folder) => `${folder}/${place.name}`,
    )
    for (const path of paths) await machine.write(path, "x")
    for (const path of paths) expect((await machine.read(path)).toString()).toBe("x")
    expect((await machine.run(["sh", "-c", "echo x >>/usr/bin/env; rm /usr/bin/sort /etc/passwd"])).exitCode).toBe(0)
    expect(paths.filter(existsSync)).toEqual([])
    expect(existsSync("/usr/bin/sort") && existsSync("/etc/passwd")).toBe(true)
    expect(readFileSync("/usr/bin/env").subarray(-2).toString()).not.toBe("x\n")
    expect((await machine.run(["sh", "-c", "ls -A /home /tmp; ls /old /work /mnt /srv"])).stdout).toBe(
      `/home:\n${place.name}\n\n/tmp:\n${place.name}\n`,
    )
    await expect(machine.read(join(place.folder, "of-the-host"))).rejects.toThrow(/ENOENT/)
    await expect(machine.read("/etc/shadow")).rejects.toThrow(/ENOENT/)
    await machine.close()
  })

  test("cannot reach a listener of the host, and the host cannot reach a listener of the machine", async () => {
    const { machine } = await start()
    const { machine: other } = await start()
    await machine.spawn(["/run/byhand/node", "-e", `require("net").createServer().listen(2379)`], { log: "/tmp/log" })
    await expect
      .poll(async () =>
        machine.connect(2379).then(
          (socket) => {
            socket.destroy()
            return true
          },
          () => false,
        ),
      )
      .toBe(true)
    await expect(other.connect(2379)).rejects.toMatchObject({ code: "ECONNREFUSED" })
    expect((await execa("ss", ["-tlnH", "sport = :2379"])).stdout).toBe("")
    await Promise.all([machine.close(), other.close()])
    expect(await place.census()).toEqual(before)
  })

  test.skipIf(!isRoot)(
    "shares no cgroup with a machine of the same id in another folder (needs root, as cgroups do)",
    async () => {
      const elsewhere = { ...place.settings, runsDir: join(place.folder, "elsewhere") }
      const [one, other] = await Promise.all(
        [place.settings, elsewhere].map((settings) =>
          startSandbox({ name: place.name, id: place.name, binds: [], settings }),
        ),
      )
      await one?.machine.close()
      expect((await other?.machine.run(["true"]))?.exitCode).toBe(0)
      expect((await place.census()).cgroups).not.toEqual([])
      await other?.machine.close()
      expect((await place.census()).cgroups).toEqual([])
    },
  )

  test("that cannot be made gives the kernel's error message", async () => {
    const settings = { ...place.settings, runsDir: `${place.settings.runsDir}/${"x".repeat(80)}` }
    await expect(startSandbox({ name: "x", binds: [], settings })).rejects.toThrow(/BYHAND_RUNS=.* is too long/)
    await expect(startSandbox({ name: "x", binds: [], settings })).rejects.toBeInstanceOf(UsageError)
    const missing = startSandbox({
      name: place.name,
      binds: [{ source: "/nothing/here", target: "/usr/local/bin/here" }],
      settings: place.settings,
    })
    await expect(missing).rejects.toBeInstanceOf(MachineStartError)
    await expect(missing).rejects.toThrow(/could not be made here: .*\/usr\/local\/bin\/here/)
    expect(await place.census()).toEqual(before)
  })
})

test("a machine on a full disk is refused with a clear message", async () => {
  await mkdir(place.settings.runsDir)
  const child = another(
    `await startSandbox({ name, binds: [], settings }).catch((error) => console.log(String(error)))`,
    {
      wrap: [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        `mount -t tmpfs -o size=8m tmpfs ${place.settings.runsDir} && exec "$@"`,
        "sh",
      ],
    },
  )
  expect((await child).stdout).toMatch(
    /^MachineStartError: The disk of BYHAND_RUNS=\S+ is full: [78] MB are free, and a machine needs 128 MB\. Make room/,
  )
  expect(await place.census()).toEqual(before)
})

test("a disk that becomes full during the start is named, although no log can be written", async () => {
  const run = join(place.settings.runsDir, "full")
  await mkdir(run, { recursive: true })
  const settings = join(place.folder, "settings")
  const agent = join(packageRoot, "dist/machines/agent")
  const scripts = join(packageRoot, "lib/machines")
  await writeFile(
    settings,
    settingsText({
      run,
      name: "full",
      mode: "user",
      node: process.execPath,
      agent,
      scripts,
      owner: "",
      logs: place.folder,
      limits: {},
    }),
  )
  const { stderr } = await execa(
    "unshare",
    [
      "--user",
      "--map-root-user",
      "--mount",
      "sh",
      "-c",
      `
    mount -t tmpfs -o size=64k tmpfs ${run} && : >${run}/binds && head -c 40k /dev/zero >${run}/filler
    exec sh ${join(packageRoot, "lib/machines/supervisor.sh")} ${settings}`,
    ],
    { reject: false, stdin: "pipe" },
  )
  expect(stderr).toContain(`no space left on the disk of ${run}`)
})

describe("nothing is left on the host", () => {
  test("when a machine is closed", async () => {
    const { machine } = await start()
    const during = await place.census()
    expect([
      during.processes.length > 3,
      during.namespaces.length >= 4,
      during.files.length,
      during.cgroups.length > 0,
    ]).toEqual([true, true, 1, machine.privileged])
    await machine.close()
    expect(await place.census(during.namespaces)).toEqual(before)
  })

  test("when its first process is killed; a pending exit resolves", async () => {
    const { machine, folder } = await start()
    const { exit } = await machine.spawn(["sleep", "60"], { log: "/tmp/log" })
    const during = await place.census()
    process.kill(Number((await readFile(join(folder, "init"), "utf8")).split(" ")[0]), "SIGKILL")
    expect(await exit).toEqual({ code: null, signal: "SIGKILL" })
    expect(await place.censusLike(before, during.namespaces)).toEqual(before)
  })

  test("when its supervisor is killed: processes end at once, and the next start keeps the logs and removes the rest", async () => {
    const { machine, folder, logs } = await start()
    const { exit } = await machine.spawn(["sh", "-c", "echo last words; sleep 60"], { log: "/var/log/byhand/etcd.log" })
    const during = await place.census()
    process.kill(Number((await readFile(join(folder, "supervisor"), "utf8")).split(" ")[0]), "SIGKILL")
    expect(await exit).toEqual({ code: null, signal: "SIGKILL" })
    const rest = await place.censusLike({ ...before, cgroups: during.cgroups, files: during.files }, during.namespaces)
    expect([rest.namespaces, rest.files, rest.cgroups]).toEqual([[], during.files, during.cgroups])

    // While the owner of the run is alive, it can still read the folder. So the test replaces the owner by a dead
    // process.
    await writeFile(join(folder, "owner"), `${process.pid} 1 gone\n`)
    const next = await start()
    expect(existsSync(folder)).toBe(false)
    expect(await readFile(join(logs, "etcd.log"), "utf8")).toBe("last words\n")
    await next.machine.close()
    expect(await place.censusLike(before, during.namespaces)).toEqual(before)
  })

  test("when it is detached and its supervisor is killed: the machine ends too", async () => {
    const sandbox = await start()
    const { machine, folder } = sandbox
    const { exit } = await machine.spawn(["sleep", "60"], { log: "/tmp/log" })
    await sandbox.detach()
    await sleep(200) // By now, no other process is left that could end the machine.
    const during = await place.census()
    process.kill(Number((await readFile(join(folder, "supervisor"), "utf8")).split(" ")[0]), "SIGKILL")
    expect(await exit).toEqual({ code: null, signal: "SIGKILL" })
    await writeFile(join(folder, "owner"), `${process.pid} 1 gone\n`)
    await (await start()).machine.close()
    expect(await place.censusLike(before, during.namespaces)).toEqual(before)
  })

  test("when its supervisor is killed while another process ends the machine: that process gets an error and does not hang", async () => {
    const sandbox = await startSandbox({ name: place.name, binds: [], settings: place.settings, id: place.name })
    await sandbox.detach()
    const { folder } = sandbox
    const attached = await attachMachine(place.settings, place.name)
    const supervisor = Number((await readFile(join(folder, "supervisor"), "utf8")).split(" ")[0])
    process.kill(supervisor, "SIGSTOP")
    const end = expect(attached?.machine.close()).rejects.toThrow(
      /was killed before it had removed .* The next machine that starts removes it\./,
    )
    await sleep(200)
    process.kill(supervisor, "SIGKILL")
    await end
    await writeFile(join(folder, "owner"), `${process.pid} 1 gone\n`)
    await (await start()).machine.close()
    expect(await place.censusLike(before)).toEqual(before)
  })

  test("when the process that started it is killed at any moment of a cluster's boot", async () => {
    const { binds } = await artifacts(isRoot ? undefined : ["kube-scheduler"])
    const program = `
      const { machine } = await startSandbox({ name, binds: ${JSON.stringify(binds)}, settings })
      console.log("started")
      const cluster = new Cluster({ machine, images: undefined, patience: settings.patience })
      await cluster.up()
      console.log("up")
      setInterval(() => {}, 1000)`
    // Milliseconds after the start of the process, and then after that of the machine, which takes longer on a slow host. The
    // components that run at that moment differ from run to run.
    const moments = [
      { since: "process", moment: 50 },
      { since: "process", moment: 150 },
      { since: "process", moment: 400 },
      { since: "machine", moment: 300 },
      { since: "machine", moment: 1_500 },
    ]
    const known = new Set<string>()
    for (const { since, moment } of moments) {
      const child = another(program)
      if (since === "machine") await speaks(child)
      await sleep(moment + Math.random() * 100)
      for (const namespace of (await place.census()).namespaces) known.add(namespace)
      child.kill("SIGKILL")
      await child
      const after = await place.censusLike(before, [...known])
      expect({ since, moment, ...after, files: [] }).toEqual({ since, moment, ...before })
      // If a run is killed before its supervisor starts, the next start removes its folder.
      expect(after.files.length).toBeLessThanOrEqual(1)
    }
    expect(known.size).toBeGreaterThan(0)
    for (const folder of await readdir(place.settings.runsDir)) await utimes(join(place.settings.runsDir, folder), 0, 0)
    await (await start()).machine.close()
    expect(await place.censusLike(before, [...known])).toEqual(before)
  })

  test("when it is detached, continues after its starter has ended, and another process ends it", async () => {
    const maker = await another(`
      const { machine, detach } = await startSandbox({ name, binds: [], settings, id: name })
      await machine.write("/tmp/kept", "x")
      await detach()
      process.exit()`)
    expect(maker.stderr).toBe("")
    const during = await place.census()
    const attached = await attachMachine(place.settings, place.name)
    expect((await attached?.machine.read("/tmp/kept"))?.toString()).toBe("x")
    expect(attached?.machine.name).toBe(place.name)
    await (await start()).machine.close() // Its sweep does not remove running machines.
    expect((await attached?.machine.read("/tmp/kept"))?.toString()).toBe("x")
    await attached?.machine.close()
    expect(await place.census(during.namespaces)).toEqual(before)
    expect(await attachMachine(place.settings, place.name)).toBeUndefined()
  })
})

test("a machine ends with the process that started it, even if a file of the run's folder was removed", async () => {
  const child = another(`
    const { folder } = await startSandbox({ name, binds: [], settings })
    await (await import("node:fs/promises")).rm(folder + "/init")
    console.log("started")
    setInterval(() => {}, 1000)`)
  await speaks(child)
  const during = await place.census()
  child.kill("SIGKILL")
  await child
  expect(await place.censusLike(before, during.namespaces)).toEqual(before)
})

describe("a sweep", () => {
  test("identifies processes by start time and boot, not only by PID", async () => {
    const abandoned = join(place.settings.runsDir, "abandoned")
    await mkdir(abandoned, { recursive: true })
    await writeFile(join(abandoned, "owner"), `${process.pid} 1 of-an-earlier-boot\n`)
    // A sweep that kills this PID would end this test.
    await writeFile(join(abandoned, "init"), `${process.pid} 1 of-an-earlier-boot\n`)
    await (await start()).machine.close()
    expect(await readdir(place.settings.runsDir)).toEqual([])
  })

  test("removes an old folder without an owner file, but not a new one", async () => {
    for (const folder of ["old", "new"]) await mkdir(join(place.settings.runsDir, folder), { recursive: true })
    await utimes(join(place.settings.runsDir, "old"), 0, 0)
    await (await start()).machine.close()
    expect(await readdir(place.settings.runsDir)).toEqual(["new"])
  })
})

test("logs are kept after the machine ends; the newest ten runs keep theirs, and a run without logs leaves no folder", async () => {
  const kept = join(place.settings.cacheDir, "logs")
  for (let run = 0; run < 11; run++) {
    const folder = join(kept, `earlier-${run}`)
    await mkdir(folder, { recursive: true })
    await utimes(folder, run, run)
  }
  await (await start()).machine.close()
  expect(await readdir(kept)).toHaveLength(11)

  const { machine, logs } = await start()
  await (
    await machine.spawn(["echo", "hello"], { log: "/var/log/byhand/etcd.log" })
  ).exit
  await machine.close()
  expect(await readFile(join(logs, "etcd.log"), "utf8")).toBe("hello\n")
  const names = await readdir(kept)
  expect(names).toHaveLength(10)
  expect(names).not.toContain("earlier-0")
  expect(names).not.toContain("earlier-1")
})

test.skipIf(!isRoot)(
  "an ordinary user can start a machine too, in a user namespace (the test needs root to become that user)",
  async () => {
    // Other users may not be able to read the checkout. So this user gets a copy of the build.
    const copy = join(place.folder, "copy")
    for (const part of ["dist", "package.json", "lib/machines"])
      await cp(join(packageRoot, part), join(copy, part), { recursive: true, preserveTimestamps: true })
    await cp(join(packageRoot, "node_modules"), join(copy, "node_modules"), { recursive: true })
    for (const folder of ["runs", "cache", "bin"]) await mkdir(join(place.folder, folder))
    const { binds } = await artifacts(["kube-apiserver"])
    const readable = await Promise.all(
      binds.map(async ({ source, target }) => {
        const copied = join(place.folder, "bin", target.replaceAll("/", "_"))
        await cp(source, copied)
        await chmod(copied, 0o755)
        return { source: copied, target }
      }),
    )
    for (const folder of ["runs", "cache"]) await chown(join(place.folder, folder), 1000, 1000)
    before = await place.census()
    const child = another(
      `
    const { machine, network, privilege, logs } = await startSandbox({ name, binds: ${JSON.stringify(readable)}, settings })
    const cluster = new Cluster({ machine, images: undefined, patience: settings.patience })
    await cluster.ensure(["kube-apiserver"])
    const { stdout } = await machine.run(["sh", "-c", "id -u; hostname; kubectl get namespace default -o name"])
    const further = await (await network.machine("etcd-2")).run(["sh", "-c", "hostname; ls -ld /shared | cut -d ' ' -f 1,3"])
    await network.link("etcd-2").down()
    const written = await machine.write("/usr/byhand", "x").then(() => true, () => false)
    await machine.close()
    console.log(JSON.stringify({ privilege, privileged: machine.privileged, stdout, written, logs, further: further.stdout }))`,
      {
        root: copy,
        wrap: ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"],
        env: { BYHAND_PRIVILEGE: "user", HOME: place.folder },
      },
    )
    const { stdout, stderr } = await child
    expect(stderr).toBe("")
    const found = JSON.parse(stdout) as { logs: string } // Printed a few lines above.
    expect(found).toMatchObject({
      privilege: "user",
      privileged: false,
      stdout: `0\n${place.name}\nnamespace/default\n`,
      written: false,
      further: "etcd-2\ndrwx------ root\n",
    })
    expect(await readdir(found.logs)).toEqual(["etcd.log", "kube-apiserver.log"])
    expect(await place.census()).toEqual(before)
  },
)

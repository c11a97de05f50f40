import { execa } from "execa"
import { readdirSync, readFileSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { speaks } from "../proof/testing/speaks.ts"
import type { Census } from "../proof/testing/census.ts"
import { useEngine, type OwnEngine } from "../proof/testing/engine.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"
import { MachineEndedError } from "./agent-machine.ts"
import type { Machine } from "./machine.ts"
import { LinkUnsupportedError, MACHINES, NetworkError } from "./network.ts"
import type { Started } from "./provider.ts"
import { attachMachine, chooseProvider } from "./providers.ts"

const isRoot = process.getuid?.() === 0

let place: Workplace
let before: Census
let opened: Started | undefined

async function start(more = "", limits = {}): Promise<Started> {
  const id = place.name + more
  opened = await (await chooseProvider(place.settings)).start({ name: place.name, id, binds: [], limits })
  return opened
}

async function sh(machine: Machine, line: string): Promise<string> {
  const { stdout, stderr } = await machine.run(["sh", "-c", line])
  return (stdout + stderr).trim()
}

/** Answers each connection to a port of a machine with one word. */
async function serve(machine: Machine, word: string, port = 7000): Promise<void> {
  const program = `require("net").createServer((socket) => socket.end("${word}")).listen(${port}, "0.0.0.0")`
  await machine.spawn(["/run/byhand/node", "-e", program], { log: "/tmp/log" })
  await expect.poll(() => sh(machine, `ss -tlnH sport = :${port}`), { timeout: 20_000 }).not.toBe("")
}

/** What a machine hears from a port of another one; "no answer" after two seconds. */
function hear(machine: Machine, host: string, port = 7000): Promise<string> {
  const program = `
    const socket = require("net").connect(${port}, "${host}").on("error", ({ code }) => console.log(code))
    socket.setTimeout(2000, () => { console.log("no answer"); process.exit() }).pipe(process.stdout)`
  return sh(machine, `/run/byhand/node -e '${program}'`)
}

/** A process of its own that starts a run with two further machines, and prints a line when they run. */
function another(settings: Workplace["settings"], more = "", id = place.name) {
  const program = `
    import { chooseProvider } from ${JSON.stringify(join(packageRoot, "dist/machines/providers.js"))}
    import { readSettings } from ${JSON.stringify(join(packageRoot, "dist/base/settings.js"))}
    const { machine, network, detach } = await (await chooseProvider(readSettings())).start({ name: ${JSON.stringify(place.name)}, binds: [], id: ${JSON.stringify(id)} })
    for (const name of ["node-2", "etcd-2"]) await (await network.machine(name)).spawn(["sleep", "infinity"], { log: "/tmp/log" })
    ${more}
    console.log("up")
    setInterval(() => {}, 1000)`
  return execa(process.execPath, ["--input-type=module", "--eval", program], {
    reject: false,
    stdin: "ignore",
    env: {
      BYHAND_RUNS: settings.runsDir,
      BYHAND_CACHE: settings.cacheDir,
      BYHAND_PRIVILEGE: settings.privilege,
      BYHAND_MACHINE: settings.machine,
    },
  })
}

const PLACES = isRoot ? ["a sandbox", "a user namespace", "a container"] : ["a user namespace"]

// In a user namespace, all machines of a run must share the namespace of the first.
describe.each(PLACES)("several machines of one run in %s", (where) => {
  const isContainer = where === "a container"
  let engine: OwnEngine | undefined
  beforeAll(async () => {
    engine = isContainer ? await useEngine() : undefined
  })
  afterAll(() => engine?.[Symbol.asyncDispose]())
  beforeEach(async () => {
    place = await workplace({
      BYHAND_MACHINE: isContainer ? "container" : "sandbox",
      BYHAND_PRIVILEGE: where === "a user namespace" ? "user" : "root",
    })
    before = await place.census()
  })
  afterEach(async () => {
    await opened?.machine.close()
    opened = undefined
    expect(await place.censusLike(before)).toEqual(before)
    await place[Symbol.asyncDispose]()
  })

  test("reach each other by name and address, over a network that no other run sees", async () => {
    const { machine, network } = await start()
    const [node, etcd] = await Promise.all([network.machine("node-2"), network.machine("etcd-2")])
    expect(node).toMatchObject({ name: "node-2", address: "10.77.0.3", lacks: machine.lacks })
    expect(await sh(node, "hostname; ip -brief -4 address show eth0")).toMatch(
      /^node-2\neth0@\S+ +UP +10\.77\.0\.3\/24/,
    )
    for (const one of [machine, node, etcd]) await serve(one, one.name)
    expect(await hear(machine, "node-2")).toBe("node-2")
    expect(await hear(node, place.name)).toBe(place.name)
    expect(await hear(etcd, "node-2")).toBe("node-2")
    expect(await hear(node, MACHINES["etcd-2"])).toBe("etcd-2")
    expect(await hear(etcd, MACHINES["etcd-3"])).not.toBe("etcd-3")
    // The test process reaches a further machine as it reaches the first.
    await using forward = await node.forward(7000)
    expect((await execa("curl", ["--silent", "--http0.9", `http://${forward.address}`])).stdout).toBe("node-2")
    if (!isContainer) expect((await place.census()).links).toBe(before.links)
  })

  test("see no processes and files of each other, except those in /shared", async () => {
    const { machine, network } = await start()
    const node = await network.machine("node-2")
    const marked = (one: Machine) => one.spawn(["sleep", `31${one.name.length}`], { log: "/tmp/log" })
    await Promise.all([marked(machine), marked(node)])
    const processes = (one: Machine) => sh(one, "ps -e -o args= | grep ^sleep")
    expect(await processes(machine)).toBe(`sleep 31${machine.name.length}`)
    expect(await processes(node)).toBe("sleep 316")
    await node.write("/etc/of-node-2", "x")
    await node.write("/usr/local/bin/of-node-2", "x")
    expect(await sh(machine, "ls /etc/of-node-2 /usr/local/bin/of-node-2 2>/dev/null")).toBe("")
    await machine.write("/shared/token", "secret", 0o600)
    expect(await sh(node, "stat -c '%a %U' /shared /shared/token; cat /shared/token")).toBe(
      "700 root\n600 root\nsecret",
    )
  })

  test("lose each other when a link is cut, delayed or lossy, and find each other again", async () => {
    const { machine, network } = await start()
    const [node, etcd] = [await network.machine("node-2"), await network.machine("etcd-2")]
    for (const one of [machine, node, etcd]) await serve(one, one.name)
    const all = async () => [
      await hear(machine, "node-2"),
      await hear(node, "etcd-2"),
      await hear(etcd, MACHINES["node-2"]),
      await hear(machine, "etcd-2"),
    ]
    const whole = ["node-2", "etcd-2", "node-2", "etcd-2"]
    const partition = ["no answer", "no answer", "no answer", "etcd-2"]
    expect(await all()).toEqual(whole)
    {
      await using link = network.link("node-2")
      await link.down()
      expect(await all()).toEqual(partition)
      await link.up()
      expect(await all()).toEqual(whole)
      await link.lossy(100)
      expect(await all()).toEqual(partition)
      await link.clear()
      expect(await all()).toEqual(whole)
      await link.limit(1000)
      expect(await all()).toEqual(whole)
      await link.down()
    }
    expect(await all()).toEqual(whole)
    await using first = network.link(place.name)
    await first.down()
    expect(await hear(machine, "node-2")).toBe("no answer")
    expect(await hear(node, "etcd-2")).toBe("etcd-2")
  })

  test("a link is delayed where the kernel has netem; elsewhere the error names what is missing", async () => {
    const { machine, network } = await start()
    const node = await network.machine("node-2")
    await serve(node, "node-2")
    await using link = network.link("node-2")
    const error: unknown = await link.delay(3000).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    if (error === undefined) expect(await hear(machine, "node-2")).toBe("no answer")
    else {
      expect(error).toBeInstanceOf(LinkUnsupportedError)
      expect(error).toMatchObject({ lacks: expect.stringContaining("netem") as string })
      expect(await hear(machine, "node-2")).toBe("node-2")
    }
  })

  test("one ends alone, and another takes its place, without its files", async () => {
    const { machine, network } = await start()
    const node = await network.machine("node-2")
    expect(await network.machine("node-2")).toBe(node)
    await serve(node, "node-2")
    expect(await hear(machine, "node-2")).toBe("node-2")
    await node.close()
    await expect(node.run(["true"])).rejects.toBeInstanceOf(MachineEndedError)
    expect(await hear(machine, "node-2")).not.toBe("node-2")
    const other = await network.machine("node-2")
    expect(other).not.toBe(node)
    expect(await sh(other, "ls /tmp")).toBe("")
    await serve(other, "another")
    expect(await hear(machine, "node-2")).toBe("another")
  })

  test("a name that no machine has, and a link of a machine that does not run", async () => {
    const { network } = await start()
    await expect(network.machine("node-9")).rejects.toThrow(
      /node-9 is not the name of a machine.*node-2, etcd-2, etcd-3/,
    )
    expect(() => network.link("node-9")).toThrow(NetworkError)
    await expect(network.link("node-2").down()).rejects.toThrow(/Start the machine node-2 first/)
  })

  test("another process finds them, and can start more", async () => {
    const maker = another(place.settings, "await detach(); process.exit()")
    const { stderr } = await maker
    expect(stderr).toBe("")
    const attached = await attachMachine(place.settings, place.name)
    const node = await attached?.network.machine("node-2")
    expect(node && (await sh(node, "ps -e -o args= | grep ^sleep"))).toBe("sleep infinity")
    const third = await attached?.network.machine("etcd-3")
    expect(third && (await sh(third, "hostname"))).toBe("etcd-3")
    await attached?.machine.close()
  })

  test("their logs are kept with those of the first", async () => {
    const { machine, network, logs } = await start()
    const node = await network.machine("node-2")
    for (const one of [machine, node]) {
      const { exit } = await one.spawn(["echo", one.name], { log: "/var/log/byhand/kubelet.log" })
      await exit
    }
    // A link to a folder of the host is not followed.
    const etcd = await network.machine("etcd-2")
    await sh(etcd, `mkdir -p /var/log; ln -s ${packageRoot} /var/log/byhand`)
    await machine.close()
    expect(readdirSync(logs)).toEqual(["kubelet.log", "node-2-kubelet.log"])
    expect(await readFile(join(logs, "node-2-kubelet.log"), "utf8")).toBe("node-2\n")
  })

  // For a container, lib/machines/container/container.slow.test.ts shows it: all machines of a run are in it.
  test.skipIf(isContainer)("nothing is left when the process that started them is killed, at any moment", async () => {
    for (const moment of [0, 100, 300, 600, "up"] as const) {
      // A process that is killed when it has just made its folder leaves the folder. The next run removes it.
      const child = another(place.settings, "", `${place.name}-${moment}`)
      if (moment === "up") await speaks(child)
      else await sleep(400 + moment)
      const { namespaces } = await place.census()
      child.kill("SIGKILL")
      await child
      const after = await place.censusLike(before, namespaces)
      expect({ moment, ...after, files: [] }).toEqual({ moment, ...before })
    }
  })

  test.skipIf(isContainer)("nothing is left when their supervisor is killed", async () => {
    const { folder, machine, network } = await start()
    await Promise.all([network.machine("node-2"), network.machine("etcd-2")])
    const { namespaces } = await place.census()
    expect(namespaces.filter((one) => one.startsWith("net:"))).toHaveLength(4) // Three machines and the bridge.
    const supervisor = Number(readFileSync(join(folder, "supervisor"), "utf8").split(" ")[0])
    process.kill(supervisor, "SIGKILL")
    await expect
      .poll(
        async () => {
          const { processes, namespaces: left } = await place.census(namespaces)
          return [...processes, ...left]
        },
        { timeout: 20_000 },
      )
      .toEqual([])
    await expect(network.machine("etcd-3")).rejects.toBeInstanceOf(MachineEndedError)
    await machine.close()
    await writeFile(join(folder, "owner"), `${process.pid} 1 gone\n`)
    await start("next") // Removes what the killed supervisor could not remove.
  })

  test.skipIf(isContainer)("if their network is killed, the further ones end, and the first goes on", async () => {
    const { folder, machine, network } = await start()
    const node = await network.machine("node-2")
    expect(await network.running()).toEqual(["node-2"])
    const { stdout } = await execa("ps", ["-e", "-o", "pid=,args="])
    const [, pid = ""] = new RegExp(`^ *(\\d+) sh \\S+/network\\.sh ${folder}/`, "m").exec(stdout) ?? []
    process.kill(Number(pid), "SIGKILL")
    await expect.poll(() => node.run(["true"]).then(() => "runs", String), { timeout: 20_000 }).toMatch(/has ended/)
    await expect(network.machine("etcd-3")).rejects.toBeInstanceOf(MachineEndedError)
    expect(await sh(machine, "echo alive")).toBe("alive")
  })

  test.runIf(where === "a sandbox")("a limit of processes counts for all of them together (needs root)", async () => {
    const { machine, network } = await start("", { processes: 120 })
    const node = await network.machine("node-2")
    const fork = (one: Machine) => sh(one, "for i in $(seq 80); do sleep 60 >/dev/null 2>&1 & done")
    expect(await fork(machine)).toBe("")
    expect(await fork(node)).toMatch(/[Cc]annot fork|Resource temporarily unavailable/)
  })
})

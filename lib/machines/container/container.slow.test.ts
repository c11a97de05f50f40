import { execa } from "execa"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { prepareArtifactsInContainer } from "../../clusters/artifacts-in-container.ts"
import { componentNames } from "../../components/registry.ts"
import { packageRoot, readSettings, type Settings } from "../../base/settings.ts"
import { useEngine, type OwnEngine } from "../../proof/testing/engine.ts"
import { speaks } from "../../proof/testing/speaks.ts"
import type { Census } from "../../proof/testing/census.ts"
import { artifacts, workplace, type Workplace } from "../../proof/testing/workplace.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import { attachMachine } from "../providers.ts"
import { CAPABILITIES_OF_ROOT } from "./capabilities.ts"
import { startContainer } from "./container.ts"
import { findEngine, type Engine } from "./engine.ts"
import { ensureImage, imageOf } from "./image.ts"
import { dialLine } from "./line.mts"
import { LABELS, thisHost } from "./labels.ts"
import { publishedPortOf } from "./published-port.ts"

// A test's own Docker engine needs root.
describe.skipIf(process.getuid?.() !== 0)("a machine in a container", () => {
  let own: OwnEngine
  let engine: Engine
  let place: Workplace
  let before: Census
  beforeAll(async () => {
    own = await useEngine()
    engine = await findEngine()
  })
  afterAll(() => own[Symbol.asyncDispose]())
  beforeEach(async () => {
    place = await workplace({ BYHAND_MACHINE: "container" })
    before = await place.census()
  })
  afterEach(() => place[Symbol.asyncDispose]())

  const start = (options: { id?: string; settings?: Partial<Settings> } = {}) =>
    startContainer({
      name: place.name,
      binds: [],
      settings: { ...place.settings, ...options.settings },
      ...(options.id === undefined ? {} : { id: options.id }),
    })

  /** The containers and volumes of this test's runs on the engine. */
  async function onEngine(): Promise<string[]> {
    const isOurs = (labels: Record<string, string> | null) =>
      labels?.[LABELS.run]?.startsWith(place.settings.runsDir) === true
    const containers = await engine.docker.listContainers({ all: true })
    const { Volumes: volumes } = await engine.docker.listVolumes()
    const images = await engine.docker.listImages({ filters: { dangling: ["true"] } })
    return [
      ...containers.filter(({ Labels }) => isOurs(Labels)).map(({ State, Status }) => `container ${State} ${Status}`),
      ...volumes.filter(({ Labels }) => isOurs(Labels)).map(({ Name }) => `volume ${Name}`),
      ...images.map(({ Id }) => `image without a name ${Id}`),
    ]
  }

  async function expectNothingLeft(): Promise<void> {
    await expect.poll(onEngine, { timeout: 30_000 }).toEqual([])
    const { processes, files } = await place.censusLike(before)
    expect({ processes, files }).toEqual({ processes: before.processes, files: before.files })
  }

  /** Another process that starts a machine, prints a line, and continues to run. */
  function another() {
    return execa(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `
      import { startContainer } from ${JSON.stringify(join(packageRoot, "dist/machines/container/container.js"))}
      import { readSettings } from ${JSON.stringify(join(packageRoot, "dist/base/settings.js"))}
      const { machine } = await startContainer({ name: ${JSON.stringify(place.name)}, binds: [], settings: readSettings() })
      const { exit } = await machine.spawn(["sleep", "600"], { log: "/var/log/byhand/sleep.log" })
      console.log("started")
      await exit`,
      ],
      {
        reject: false,
        stdin: "ignore",
        env: {
          BYHAND_RUNS: place.settings.runsDir,
          BYHAND_CACHE: place.settings.cacheDir,
          BYHAND_MACHINE: "container",
        },
      },
    )
  }

  const keeperOf = async (folder: string) => Number((await readFile(join(folder, "supervisor"), "utf8")).split(" ")[0])

  test("has only the options that it needs, and its key is not visible", async () => {
    const { machine, folder } = await start()
    const published = publishedPortOf(folder)
    const seen = await engine.docker.getContainer(published?.container ?? "").inspect()
    const { HostConfig: host } = seen
    expect([host.Privileged, host.CapDrop, host.CapAdd?.map((name: string) => name.replace("CAP_", ""))]).toEqual([
      false,
      ["ALL"],
      CAPABILITIES_OF_ROOT,
    ])
    expect([
      host.Devices ?? [],
      host.NetworkMode === "host",
      host.PidMode,
      host.IpcMode === "host",
      host.Binds ?? [],
    ]).toEqual([[], false, "", false, []])
    expect(
      Object.values(host.PortBindings as Record<string, { HostIp?: string }[]>)
        .flat()
        .map(({ HostIp }) => HostIp),
    ).toEqual(["127.0.0.1"])
    expect(published?.key).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.stringify(seen)).not.toContain(published?.key)
    expect((await execa("ps", ["-eo", "args"])).stdout).not.toContain(published?.key)
    expect(machine.privileged).toBe(true)
    const sh = async (line: string) => (await machine.run(["sh", "-c", line])).stdout.trim()
    expect(await sh("hostname; ip -brief address show eth0 | tr -s ' '")).toMatch(
      new RegExp(`^${place.name}\neth0@uplink UP 10\\.77\\.0\\.2/24`),
    )
    expect(await sh("ss -tlnH | wc -l")).toBe("0") // The port that the engine publishes is not visible either.
    expect(await sh("ls / /byhand 2>/dev/null | grep -c byhand")).toBe("0")
    await machine.close()
    await expectNothingLeft()
  })

  test("refuses clients without the run's key", async () => {
    const { machine, folder } = await start()
    const published = publishedPortOf(folder)
    if (published === undefined) throw new Error("no port is published")
    const wrong = dialLine({ ...published, key: "00".repeat(32) })
    expect((await once(wrong, "error"))[0]).toMatchObject({
      code: expect.stringMatching(/^ERR_SSL|ECONNRESET/) as string,
    })
    const plain = connect(published.port, published.host)
    plain.write(JSON.stringify({ op: "shutdown" }))
    await once(plain.on("error", () => undefined).resume(), "close")
    expect((await machine.run(["echo", "still here"])).stdout).toBe("still here\n")
    await machine.close()
    await expectNothingLeft()
  })

  test("leaves only its logs", async () => {
    const { machine, logs } = await start()
    await (
      await machine.spawn(
        ["sh", "-c", "echo last words; ln -s /etc/passwd /var/log/byhand/link; mknod /var/log/byhand/null c 1 3"],
        { log: "/var/log/byhand/etcd.log" },
      )
    ).exit
    await machine.close()
    expect(await readdir(logs)).toEqual(["etcd.log"])
    expect(await readFile(join(logs, "etcd.log"), "utf8")).toBe("last words\n")
    await expectNothingLeft()
  })

  test("ends when the process that started it is killed, at any moment", async () => {
    for (const moment of [200, 500, 1_500, 2_500, 4_000]) {
      // Milliseconds after the start. What exists at that moment differs from run to run.
      const child = another()
      await sleep(moment + Math.random() * 200)
      child.kill("SIGKILL")
      await child
      await expect.poll(onEngine, { timeout: 30_000 }).toEqual([])
      const { processes, files } = await place.censusLike(before)
      expect(processes).toEqual(before.processes)
      // If a run is killed before its keeper starts, the next start removes its folder.
      expect(files.length).toBeLessThanOrEqual(1)
      expect(await onEngine()).toEqual([])
    }
    await (await start()).machine.close()
    await expectNothingLeft()
  })

  test("ends when its keeper is killed; pending calls fail, the engine removes the container, the next start the folder", async () => {
    const { machine, folder } = await start()
    const { exit } = await machine.spawn(["sleep", "600"], { log: "/tmp/log" })
    process.kill(await keeperOf(folder), "SIGKILL")
    expect(await exit).toEqual({ code: null, signal: "SIGKILL" })
    await expect.poll(onEngine, { timeout: 30_000 }).toEqual([])
    expect(existsSync(folder)).toBe(true) // While the owner of the run is alive, it can still read the folder.
    await writeFile(join(folder, "owner"), `${process.pid} 1 gone\n`)
    await (await start()).machine.close()
    await expectNothingLeft()
  })

  test("ends when its keeper and the process that started it are killed at once", async () => {
    const child = another()
    await speaks(child)
    const [id = ""] = await readdir(place.settings.runsDir)
    process.kill(await keeperOf(join(place.settings.runsDir, id)), "SIGKILL")
    child.kill("SIGKILL")
    await child
    await expect.poll(onEngine, { timeout: 30_000 }).toEqual([])
    await (await start()).machine.close()
    await expectNothingLeft()
  })

  test("whose container was never started is removed by the next start; containers of other hosts are not", async () => {
    const make = (labels: Record<string, string>) =>
      engine.docker.createContainer({
        Image: "unused",
        Entrypoint: ["true"],
        Labels: labels,
        HostConfig: {
          Mounts: [
            {
              Type: "volume",
              Source: "",
              Target: "/byhand/runs",
              VolumeOptions: { NoCopy: false, Labels: labels, DriverConfig: { Name: "local", Options: {} } },
            },
          ],
        },
      })
    const image = engine.docker.getImage(await imageOf(place.settings))
    await image.tag({ repo: "unused", tag: "latest" })
    const run = { [LABELS.run]: join(place.settings.runsDir, "gone"), [LABELS.keeper]: "1 1 an-earlier-boot" }
    await make({ ...run, [LABELS.host]: thisHost() })
    const elsewhere = await make({ ...run, [LABELS.host]: "another host" })
    const stranger = await make({ stranger: "yes" })
    await (await start()).machine.close()
    const left = (await engine.docker.listContainers({ all: true })).map(({ Id }) => Id)
    expect(left.toSorted()).toEqual([elsewhere.id, stranger.id].toSorted())
    for (const container of [elsewhere, stranger]) await container.remove({ v: true })
    await engine.docker.getImage("unused").remove()
    await expectNothingLeft()
  })

  test("continues to run when it is detached, and another process can end it", async () => {
    const started = await start({ id: place.name })
    await started.machine.write("/tmp/kept", "x")
    await started.detach()
    await sleep(200)
    const attached = await attachMachine(place.settings, place.name)
    expect((await attached?.machine.read("/tmp/kept"))?.toString()).toBe("x")
    await (await start()).machine.close() // Its sweep does not remove running machines.
    expect((await attached?.machine.read("/tmp/kept"))?.toString()).toBe("x")
    await attached?.machine.close()
    expect(await attachMachine(place.settings, place.name)).toBeUndefined()
    await expectNothingLeft()
  })

  test("ends when its container is removed; pending calls fail", async () => {
    const { machine, folder } = await start()
    const running = expect(machine.run(["sleep", "600"])).rejects.toThrow(
      `The machine ${place.name} has ended. Start it again.`,
    )
    await sleep(200)
    await engine.docker.getContainer(publishedPortOf(folder)?.container ?? "").remove({ force: true, v: true })
    await running
    await machine.close()
    await expectNothingLeft()
  })

  test("can use a course's own image, which must contain the necessary programs", async () => {
    await expect(start({ settings: { image: "nobody/has:this" } })).rejects.toThrow(
      /^The engine does not have BYHAND_IMAGE=nobody\/has:this and cannot pull it: .*\. Correct the name, or load the image/,
    )
    const poor = await execa("docker", ["build", "--tag", "poor:1", "-"], {
      reject: false,
      input: `FROM ${await imageOf(place.settings)}\nRUN rm /usr/bin/node /usr/bin/ss\n`,
    }).catch(() => undefined)
    if (poor?.exitCode === 0)
      await expect(start({ settings: { image: "poor:1" } })).rejects.toThrow(
        /could not be started on Docker .*: its image lacks node ss\. /,
      )
    await engine.docker.getImage(await imageOf(place.settings)).tag({ repo: "course", tag: "1" })
    const { machine } = await start({ settings: { image: "course:1" } })
    expect((await machine.run(["echo", "hello"])).stdout).toBe("hello\n")
    await machine.close()
    for (const name of ["course:1", "poor:1"])
      await engine.docker
        .getImage(name)
        .remove()
        .catch(() => undefined)
    await expectNothingLeft()
  })

  test("with BYHAND_PRIVILEGE=user runs no containers, and says why", async () => {
    const { machine, folder } = await start({ settings: { privilege: "user" } })
    expect(
      (await engine.docker.getContainer(publishedPortOf(folder)?.container ?? "").inspect()).HostConfig.CapAdd,
    ).toEqual(["SETFCAP"])
    expect(machine.lacks).toBe("needs the capabilities that BYHAND_PRIVILEGE=user leaves out")
    expect(
      (
        await machine.run([
          "sh",
          "-c",
          "id -u; ip -brief address show eth0 | wc -l; mount -t tmpfs tmpfs /mnt 2>&1 || mkdir -p /tmp/x",
        ])
      ).stdout,
    ).toMatch(/^0\n1\n/)
    await machine.close()
    await expectNothingLeft()
  })

  test("that is privileged has all capabilities, or says that the engine does not have them", async () => {
    const started = await start({ settings: { privilege: "privileged" } }).catch((error: unknown) => String(error))
    if (typeof started === "string")
      expect(started).toMatch(/could not be started on Docker .*: .*unable to apply caps: operation not permitted/)
    else {
      expect(started.machine.privileged).toBe(true)
      await started.machine.close()
    }
    await expectNothingLeft()
  })
})

test.skipIf(process.getuid?.() !== 0)(
  "what the lessons run is got ready in a container as it is here, for hosts that are not Linux",
  async () => {
    await using _ = await useEngine()
    const settings = readSettings()
    expect(await prepareArtifactsInContainer(componentNames, settings, silentProgress)).toEqual(await artifacts())
    await expect(
      prepareArtifactsInContainer(componentNames, { ...settings, kubernetes: "1.1.1" }, silentProgress),
    ).rejects.toThrow("The programs and images could not be prepared in a container.")
    const { docker } = await findEngine()
    await expect.poll(() => docker.listContainers({ all: true }), { timeout: 30_000 }).toEqual([])
  },
)

describe.skipIf(process.getuid?.() !== 0)("the machine's image", () => {
  test("replaces the images of other recipes, except images in use", async () => {
    await using place = await workplace()
    await using _ = await useEngine()
    const { docker } = await findEngine()
    const name = await imageOf(place.settings)
    const old = async (tag: string) => {
      const empty = await execa("tar", ["--create", "--file", "-", "--files-from", "/dev/null"], { encoding: "buffer" })
      const file = join(place.folder, "empty.tar")
      await writeFile(file, empty.stdout)
      await once(
        (await docker.importImage(file, { repo: "byhand-machine", tag, changes: `LABEL byhand.recipe=${tag}` })).on(
          "data",
          () => undefined,
        ),
        "end",
      )
    }
    await old("old")
    await docker.getImage(name).remove()
    await ensureImage(await findEngine(), readSettings(), silentProgress)
    const there = (await docker.listImages()).flatMap(({ RepoTags }) => RepoTags ?? [])
    expect(there).toEqual([name])
  })
})

describe.skipIf(process.getuid?.() !== 0)("an engine that refuses capabilities", () => {
  let server: Server
  afterAll(() => server.close())

  // With an authorization plugin, an operator of Docker can forbid requests. Docker asks the plugin before it makes
  // anything.
  test("still runs lessons 01 to 04, and names the refused capabilities", async () => {
    await using place = await workplace()
    await mkdir(place.folder, { recursive: true })
    const socket = join(place.folder, "refuser.sock")
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request
        .on("data", (chunk: Buffer) => chunks.push(chunk))
        .on("end", () => {
          const asked = Buffer.concat(chunks).toString()
          const body = /"RequestBody":"([^"]*)"/.exec(asked)?.[1] ?? ""
          const refuses = /"(CAP_)?(SYS_ADMIN|NET_ADMIN)"/.test(Buffer.from(body, "base64").toString())
          response.end(
            JSON.stringify(
              request.url === "/Plugin.Activate"
                ? { Implements: ["authz"] }
                : { Allow: !refuses, Msg: refuses ? "not here" : "" },
            ),
          )
        })
    })
    await once(server.listen(socket), "listening")
    await using _ = await useEngine({
      flags: ["--authorization-plugin=refuser"],
      before: `mount -t tmpfs tmpfs /run && mkdir -p /run/docker/plugins && ln -s ${socket} /run/docker/plugins/refuser.sock`,
    })
    const { machine } = await startContainer({ name: place.name, binds: [], settings: place.settings })
    expect([machine.privileged, machine.lacks]).toEqual([
      false,
      "the engine does not grant CAP_NET_ADMIN, CAP_SYS_ADMIN",
    ])
    expect((await machine.run(["echo", "hello"])).stdout).toBe("hello\n")
    await machine.close()
    const insisting = startContainer({
      name: place.name,
      binds: [],
      settings: { ...place.settings, privilege: "root" },
    })
    await expect(insisting).rejects.toThrow(
      "The engine does not grant CAP_NET_ADMIN, CAP_SYS_ADMIN. Unset BYHAND_PRIVILEGE to run without them, or use an engine that grants them.",
    )
  })
})

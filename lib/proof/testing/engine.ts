import { execa } from "execa"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { unpackDebianPackages } from "../../binaries/debian.ts"
import { withLock } from "../../binaries/lock.ts"
import { RemediedError } from "../../base/errors.ts"
import { findEngine } from "../../machines/container/engine.ts"
import { ensureImage } from "../../machines/container/image.ts"
import { CGROUP_FILE, cgroupOf } from "../../machines/cgroup.ts"
import { identify } from "../../machines/identity.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import type { Progress } from "../../base/progress.ts"
import { readSettings, type Settings } from "../../base/settings.ts"

/** An engine of our own did not start. */
class OwnEngineError extends RemediedError {}

const PACKAGES = ["docker.io", "containerd", "runc", "libdevmapper1.02.1"] as const

/** How long it may take to answer, and to end (milliseconds). */
const PATIENCE = 60_000

/** A Docker engine of our own, with nothing in it. */
export interface OwnEngine extends AsyncDisposable {
  /** For whoever is to use it. */
  readonly environment: { readonly DOCKER_HOST: string; readonly TESTCONTAINERS_HOST_OVERRIDE: string }
  /** Its process group's leader, which ends all of it. */
  readonly pid: number
  readonly folder: string
  readonly log: string
}

/** What may differ from engine to engine. */
export interface OwnEngineOptions {
  /** More flags of dockerd. */
  readonly flags?: readonly string[]
  /** For the shell, before it starts: in its own mount namespace, with its folder as $1. */
  readonly before?: string
}

/**
 * Starts Debian's Docker engine, unpacked into the cache, in mount and pid namespaces of its own: it ends with this
 * process, and all its containers with it. Its data and its socket lie in a run's folder. Needs root.
 * @throws OwnEngineError with its last words
 */
export async function startEngine(
  settings: Settings,
  progress: Progress,
  { flags = [], before = "true" }: OwnEngineOptions = {},
): Promise<OwnEngine> {
  const programs = await unpacked(settings, progress)
  await removeOldBridges()
  await mkdir(settings.runsDir, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(settings.runsDir, "engine-"))
  // What is left of one that was killed is removed by the next machine to start, as is what is left of a sandbox.
  await writeFile(join(folder, "owner"), identify(process.pid))
  const group = cgroupOf(folder)
  await writeFile(join(folder, CGROUP_FILE), `${group}\n`)
  const socket = join(folder, "docker.sock")
  const bridge = `byh${process.pid % 1e6}x${Math.floor(Math.random() * 1000)}`
  const subnet = `10.78.${Math.floor(Math.random() * 256)}`
  await execa("ip", ["link", "add", bridge, "type", "bridge"])
  await execa("ip", ["address", "add", `${subnet}.1/24`, "dev", bridge])
  await execa("ip", ["link", "set", bridge, "up"])

  const log = join(folder, "engine.log")
  const dockerd = [
    "dockerd",
    "--data-root",
    join(folder, "data"),
    "--exec-root",
    join(folder, "exec"),
    "--pidfile",
    join(folder, "pid"),
    "--host",
    `unix://${socket}`,
    "--cgroup-parent",
    `/${group}`,
    "--bridge",
    bridge,
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
    ...flags,
  ]
  const child = spawn(
    "setpriv",
    [
      "--pdeathsig",
      "KILL",
      "unshare",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-ec",
      `${before}\nlog=$2\nshift 2\nexec "$@" >>"$log" 2>&1`,
      "sh",
      folder,
      log,
      ...dockerd,
    ],
    {
      stdio: "ignore",
      env: {
        ...process.env,
        PATH: `${join(programs, "usr/sbin")}:${join(programs, "usr/bin")}:${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`,
      },
    },
  )
  const end = async () => {
    await stop(child, folder)
    await execa("ip", ["link", "delete", bridge], { reject: false })
    for (const hierarchy of ["", ...(await readdir("/sys/fs/cgroup"))].map((name) =>
      join("/sys/fs/cgroup", name, group),
    )) {
      if (existsSync(hierarchy))
        await execa("find", [hierarchy, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"], { reject: false })
    }
    await rm(folder, { recursive: true, force: true })
  }
  for (const deadline = performance.now() + PATIENCE; !(await answers(socket)); await sleep(50)) {
    if (child.exitCode === null && child.signalCode === null && performance.now() < deadline) continue
    const words = (await readFile(log, "utf8")).trim().split("\n").slice(-3).join("\n")
    await end()
    throw new OwnEngineError(
      `A Docker engine of our own did not start: ${words}`,
      "It takes root, and a kernel with overlay and bridge.",
    )
  }
  return {
    environment: { DOCKER_HOST: `unix://${socket}`, TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1" },
    pid: child.pid ?? 0,
    folder,
    log,
    [Symbol.asyncDispose]: end,
  }
}

/** An engine of our own that has the machine's image, and that this process finds from now on. */
export async function useEngine(options?: OwnEngineOptions): Promise<OwnEngine> {
  const settings = readSettings() // The project's own cache: what it has is not made again.
  const engine = await startEngine(settings, silentProgress, options)
  Object.assign(process.env, engine.environment)
  await ensureImage(await findEngine(), settings, silentProgress)
  return engine
}

async function answers(socket: string): Promise<boolean> {
  return (
    existsSync(socket) &&
    (await execa("curl", ["--silent", "--fail", "--unix-socket", socket, "http://engine/_ping"], { reject: false }))
      .exitCode === 0
  )
}

/** Asks dockerd, which is the first process of its namespace, to end; kills it where it does not. */
async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  const first = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").catch(() => "")).split(" ")[0]
  if (first !== undefined && first !== "" && existsSync(join(folder, "pid"))) process.kill(Number(first), "SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE)
  await ended
  clearTimeout(timer)
}

/** Bridges of engines that were killed: their names tell by whom they were made. */
async function removeOldBridges(): Promise<void> {
  const { stdout } = await execa("ip", ["-brief", "link", "show", "type", "bridge"])
  for (const [, name = "", pid = ""] of stdout.matchAll(/^(byh(\d+)x\d+)\s/gm))
    if (!existsSync(`/proc/${pid}`)) await execa("ip", ["link", "delete", name], { reject: false })
}

async function unpacked(settings: Settings, progress: Progress): Promise<string> {
  const folder = join(settings.cacheDir, "engine", "debian")
  if (existsSync(folder)) return folder
  return withLock(
    `${folder}.lock`,
    (taken) => progress.task("Waiting for another run, which fetches Debian's Docker engine", () => taken),
    async () => {
      if (existsSync(folder)) return folder
      await rm(`${folder}.work`, { recursive: true, force: true })
      await progress.task("Fetching Debian's Docker engine", () =>
        unpackDebianPackages(PACKAGES, `${folder}.work`, settings),
      )
      await rename(`${folder}.work`, folder)
      return folder
    },
  )
}

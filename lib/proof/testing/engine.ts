import { execa } from "execa"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { RemediedError } from "../../base/errors.ts"
import { unpackedOnce } from "./debian.ts"
import { findEngine } from "../../machines/container/engine.ts"
import { ensureImage } from "../../machines/container/image.ts"
import { CGROUP_FILE, cgroupOf } from "../../machines/cgroup.ts"
import { identify } from "../../machines/identity.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import type { Progress } from "../../base/progress.ts"
import { readSettings, type Settings } from "../../base/settings.ts"

/** The test's own Docker engine did not start. */
class OwnEngineError extends RemediedError {}

const PACKAGES = {
  names: ["docker.io", "containerd", "runc", "libdevmapper1.02.1"],
  folder: join("engine", "debian"),
  title: "Debian's Docker engine",
}

/** How long an engine may take to answer, and to end, in milliseconds. */
const PATIENCE = 60_000

/** A Docker engine that a test starts for itself. At first it has no images and no containers. */
export interface OwnEngine extends AsyncDisposable {
  /** Environment variables for the clients of this engine. */
  readonly environment: { readonly DOCKER_HOST: string; readonly TESTCONTAINERS_HOST_OVERRIDE: string }
  /** The PID of the engine's first process. If this process ends, the whole engine ends. */
  readonly pid: number
  readonly folder: string
  readonly log: string
}

/** Options of an engine. */
export interface OwnEngineOptions {
  /** More flags for dockerd. */
  readonly flags?: readonly string[]
  /** Shell commands that run before dockerd starts, in the engine's mount namespace. $1 is the engine's folder. */
  readonly before?: string
}

/**
 * Starts Debian's Docker engine in its own mount and PID namespaces. The packages are unpacked into the cache. The
 * engine and all its containers end when this process ends. Its data and its socket are in a run's folder. The function
 * needs root.
 * @throws OwnEngineError with the last lines of the engine's log
 */
export async function startEngine(
  settings: Settings,
  progress: Progress,
  { flags = [], before = "true" }: OwnEngineOptions = {},
): Promise<OwnEngine> {
  const programs = await unpackedOnce(PACKAGES, settings, progress)
  await removeOldBridges()
  await mkdir(settings.runsDir, { recursive: true, mode: 0o700 })
  const folder = await mkdtemp(join(settings.runsDir, "engine-"))
  // If this process is killed, the next start of a machine removes this folder and the cgroup, as it does for a
  // sandbox.
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
      `The test's own Docker engine did not start: ${words}`,
      "It needs root, and a kernel with overlay file systems and network bridges.",
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

/** Starts an engine and makes the machine's image available in it. From then on, this process uses this engine. */
export async function useEngine(options?: OwnEngineOptions): Promise<OwnEngine> {
  const settings = readSettings() // Use the project's own cache, so that an existing image is not built again.
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

/** Asks dockerd, the first process of its PID namespace, to end. Kills it if it does not end in time. */
async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  const first = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").catch(() => "")).split(" ")[0]
  if (first !== undefined && first !== "" && existsSync(join(folder, "pid"))) process.kill(Number(first), "SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE)
  await ended
  clearTimeout(timer)
}

/**
 * Removes the bridges of engines that were killed. The name of a bridge contains the PID of the process that made it.
 */
async function removeOldBridges(): Promise<void> {
  const { stdout } = await execa("ip", ["-brief", "link", "show", "type", "bridge"])
  for (const [, name = "", pid = ""] of stdout.matchAll(/^(byh(\d+)x\d+)\s/gm))
    if (!existsSync(`/proc/${pid}`)) await execa("ip", ["link", "delete", name], { reject: false })
}

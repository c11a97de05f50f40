import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { existsSync, statSync } from "node:fs"
import { mkdir, readFile, statfs, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { RemediedError, UsageError } from "../errors.ts"
import { packageRoot, type Settings } from "../settings.ts"
import { AgentMachine, shutdown } from "./agent-machine.ts"
import { identify, isAlive } from "./identity.ts"
import { choosePrivilege, type Privilege } from "./privilege.ts"

/** The machine's namespaces, file system or agent could not be made. */
export class MachineStartError extends RemediedError {}

/** A machine has ended, but its folder is still there. */
export class LeftoverError extends RemediedError {}

/** How much of the host a machine may use; what is not given has no limit. */
export interface Limits {
  /** Bytes. A process that takes more is killed. Needs root. */
  readonly memory?: number
  /** Processes and threads. Needs root. */
  readonly processes?: number
  /** Bytes that it may write, which are kept in memory and count as such. Needs root. */
  readonly disk?: number
  /** Until all of it is killed. */
  readonly seconds?: number
}

const GIB = 2 ** 30

/** For the project's own components, which need a quarter of it: what runs away leaves the host usable. */
const ORDINARY: Limits = { memory: 4 * GIB, processes: 8192 }

/** For a learner's own scripts. */
export const LIMITS_OF_SCRIPTS = { memory: 4 * GIB, processes: 4096, disk: 2 * GIB } as const satisfies Limits

/** What a machine is made with. */
export interface SandboxOptions {
  /** Its host name, and so the Node's name. */
  readonly name: string
  /** Files of the host that it is given: source there, target here. */
  readonly binds: readonly { readonly source: string; readonly target: string }[]
  readonly settings: Settings
  /** The folder under settings.runsDir; a name of its own by default. */
  readonly id?: string
  /** Those that are given take the place of the ordinary ones. */
  readonly limits?: Limits
}

/** A sandbox that has started. */
export interface Sandbox {
  readonly machine: AgentMachine
  readonly privilege: Privilege
  /** The run's folder on the host. */
  readonly folder: string
  /** The folder on the host that keeps the machine's logs once it has ended; those of the last ten runs are kept. */
  readonly logs: string
  /** Lets the machine live on when this process ends. */
  detach(): Promise<void>
}

/** A machine's address in its own network, which no other machine shares. */
const ADDRESS = "10.77.0.2"

/** Megabytes that a machine's disk must have free: etcd sets 64 aside before it says a word, and logs come on top. */
const ROOM = 128

const agentFolder = join(packageRoot, "dist", "machine", "agent")
const scriptsFolder = join(packageRoot, "lib", "machine")

/** The script that becomes a command with what is left of root's powers in a machine. */
export const DROP_CAPABILITIES = join(scriptsFolder, "drop-capabilities.sh")

/** The socket of the agent in a run's machine. */
export function socketOf(folder: string): string {
  return join(folder, "door", "agent.sock")
}

/**
 * Starts a machine made of Linux namespaces (man 7 namespaces): nothing of the host is changed, and its end is the end
 * of everything in it. A supervisor beside it notices when this process dies and cleans up.
 * @throws MachineStartError with what the kernel or sudo said
 */
export async function startSandbox({ name, binds, settings, id = `${name}-${randomBytes(3).toString("hex")}`, limits: given }: SandboxOptions): Promise<Sandbox> {
  checkAgentIsBuilt()
  const privilege = await choosePrivilege(settings.privilege)
  const folder = join(settings.runsDir, id)
  const socketPath = socketOf(folder)
  if (socketPath.length > 107) {
    throw new UsageError(`BYHAND_RUNS=${settings.runsDir} is too long: the machine's socket ${socketPath} must stay below 108 characters.`, "Choose a shorter folder.")
  }
  await mkdir(settings.runsDir, { recursive: true, mode: 0o700 })
  await checkRoom(settings.runsDir)
  const logsFolder = join(settings.cacheDir, "logs")
  await mkdir(logsFolder, { recursive: true }) // Made here, so that it is this user's, not root's.
  await mkdir(folder, { mode: 0o700 })
  await writeFile(join(folder, "owner"), identify(process.pid))
  await writeFile(join(folder, "binds"), binds.map(({ source, target }) => `${source}\t${target}\n`).join(""))

  const mode = privilege === "user" ? "user" : "root"
  await writeFile(join(folder, "mode"), mode)
  await writeFile(join(folder, "name"), name)
  const limits = { ...ORDINARY, ...given }
  await writeFile(join(folder, "limits"), `${[limits.memory, limits.processes, limits.disk, limits.seconds].map((limit) => limit ?? 0).join(" ")}\n`)

  const command = [...(mode === "root" ? ["unshare", "--mount", "--propagation", "slave"] : []), "sh", join(scriptsFolder, "supervisor.sh"), folder, name, mode, process.execPath, agentFolder, privilege === "sudo" ? String(process.getuid?.()) : "", scriptsFolder, ADDRESS, logsFolder]
  const [file = "", ...args] = privilege === "sudo" ? ["sudo", "-n", ...command] : command
  const deadline = limits.seconds === undefined ? Infinity : performance.now() + limits.seconds * 1000
  const whyEnded = () => (performance.now() < deadline ? undefined : `its ${limits.seconds} seconds were over`)
  const supervisor = execa(file, args,
    { stdin: "pipe", stdout: "pipe", stderr: "pipe", buffer: false, reject: false, cleanup: false })
  let complaints = ""
  supervisor.stderr.on("data", (chunk: Buffer) => { complaints += chunk.toString() })
  supervisor.stdin.on("error", () => undefined) // It may end first; its exit tells.
  const ended = supervisor.then((result) => result.exitCode)
  const ready = new Promise<boolean>((resolve) => {
    supervisor.stdout.once("data", () => resolve(true)).once("end", () => resolve(false))
  })
  if (!(await ready)) {
    await ended
    throw new MachineStartError(`A machine of namespaces could not be made here: ${whyEnded() ?? (complaints.trim() || "its first process ended at once")}.`,
      "npx byhand doctor says what this host can run and what to change.")
  }
  // Neither the pipes nor the supervisor keep this process from ending; its end is what the supervisor waits for.
  supervisor.unref()
  for (const stream of [supervisor.stdin, supervisor.stdout, supervisor.stderr]) if ("unref" in stream && typeof stream.unref === "function") stream.unref()

  const end = async () => {
    supervisor.stdin.end()
    supervisor.ref()
    await ended
  }
  return {
    machine: new AgentMachine({ name, privileged: privilege !== "user", address: ADDRESS, socketPath, end, whyEnded }),
    privilege,
    folder,
    logs: join(logsFolder, id),
    detach: async () => {
      await new Promise<void>((written) => supervisor.stdin.end("detach\n", () => written()))
    },
  }
}

/** The running machine in a run's folder, or undefined where there is none. */
export async function attachSandbox(settings: Settings, id: string): Promise<{ machine: AgentMachine; folder: string } | undefined> {
  const folder = join(settings.runsDir, id)
  const supervisor = await readFile(join(folder, "supervisor"), "utf8").catch(() => undefined)
  if (supervisor === undefined || !isAlive(supervisor)) return undefined
  const socketPath = socketOf(folder)
  const name = (await readFile(join(folder, "name"), "utf8").catch(() => id)).trim()
  const end = async () => {
    shutdown(socketPath)
    while (isAlive(supervisor)) await sleep(20)
    if (existsSync(folder)) throw new LeftoverError(`The supervisor of ${name} was killed before it had removed ${folder}.`, "The next machine to start does.")
  }
  const mode = (await readFile(join(folder, "mode"), "utf8")).trim()
  return { machine: new AgentMachine({ name, privileged: mode === "root", address: ADDRESS, socketPath, end }), folder }
}

/** On a full disk everything fails, each thing with words of its own, and none can be logged. */
async function checkRoom(folder: string): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder)
  const free = Math.floor((bavail * bsize) / 2 ** 20)
  if (blocks === 0 || free >= ROOM) return // A file system without blocks has no limit.
  throw new MachineStartError(`The disk of BYHAND_RUNS=${folder} is full: ${free} MB are free, a machine takes ${ROOM}.`, "Make room there, or set BYHAND_RUNS to a folder on another disk.")
}

/** The agent is compiled code, unlike what vitest reads: a checkout may hold a newer source than what was built. */
function checkAgentIsBuilt(): void {
  const built = join(agentFolder, "agent.mjs")
  const source = join(scriptsFolder, "agent", "agent.mts")
  if (!existsSync(built)) throw new MachineStartError(`${built} is not there.`, "Build it with: npm run build")
  if (existsSync(source) && statSync(source).mtimeMs > statSync(built).mtimeMs) {
    throw new MachineStartError(`${built} is older than its source.`, "Build it again with: npm run build")
  }
}

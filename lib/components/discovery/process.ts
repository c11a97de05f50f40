import type { FlagChanges } from "../component.ts"
import { specOf, specs, type ComponentName } from "../registry.ts"
import { flagNameIn } from "../settings/flags.ts"
import type { Machine } from "../../machines/machine.ts"

/**
 * The environment variable by which a process of ours is known that runs in place of a learner's component. It shows
 * itself to every program that looks at the machine, and is kept when the component is restarted.
 */
export const STAND_IN_MARK = "BYHAND_STAND_IN"

/** Whether a process is a stand-in: ours, in place of the learner's. */
export function isStandIn({ env }: Pick<FoundProcess, "env">): boolean {
  return STAND_IN_MARK in env
}

/** A process of a component. It does not matter which program started it. */
export interface FoundProcess {
  readonly name: ComponentName
  readonly pid: number
  /** stopped: the process is suspended by SIGSTOP. */
  readonly state: "running" | "stopped"
  readonly argv: readonly string[]
  /** The path of its program, which can have another name than the first word of its command line. */
  readonly exe: string
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Its root folder, which a container has of its own: /proc/PID/root. */
  readonly root?: string
}

/**
 * The timeout of a command that inspects processes (milliseconds), so that a hanging machine does not hang the caller.
 * All processes are inspected at the same time, and each command in a container needs a handshake: on a slow host that
 * takes seconds.
 */
const LOOK_WITHIN = 30_000

/** The path of a component's program on every machine. */
export function programPathOf(name: ComponentName): string {
  return `/usr/local/bin/${specOf(name).program}`
}

/**
 * All processes of components, the oldest first. A component can have several processes, for example if a second
 * kube-scheduler runs. A process is a component's if it runs the component's program or a copy of it, under any name,
 * or if it has the name of the program.
 */
export async function findProcesses(machine: Machine): Promise<FoundProcess[]> {
  const [{ stdout }, programs] = await Promise.all([
    machine.run(["ps", "-e", "--sort=start_time,pid", "-o", "pid=,stat=,comm="], { timeout: LOOK_WITHIN }),
    programsOf(machine),
  ])
  const rows = stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, state = "Z"]) => !state.startsWith("Z"))
  // The kernel keeps the first 15 characters of a program's name only.
  const candidates = rows.filter(
    ([pid = "", , comm = ""]) => programs.has(pid) || specs.some(({ program }) => comm === program.slice(0, 15)),
  )
  const found = await Promise.all(
    candidates.map(async ([id = "", state = ""]) => {
      const pid = Number(id)
      const [argv, environment, cwd, exe] = await Promise.all([
        words(machine, `/proc/${pid}/cmdline`),
        words(machine, `/proc/${pid}/environ`),
        linkOf(machine, pid, "cwd"),
        linkOf(machine, pid, "exe"),
      ])
      const program = programs.get(id) ?? argv[0]?.split("/").at(-1)
      return specs
        .filter((spec) => spec.program === program && isService(spec.name, argv))
        .map(({ name }): FoundProcess => ({
          name,
          pid,
          state: state.startsWith("T") ? "stopped" : "running",
          argv,
          exe,
          cwd,
          root: `/proc/${pid}/root`,
          env: environmentOf(environment),
        }))
    }),
  )
  return found.flat()
}

/** Words of a command line with which a program prints something and ends, such as "etcd --version". */
const SHORT_COMMANDS = ["--version", "--help", "-h", "publish"]
/** The other commands of the components' programs. Any other first word is a slip, with which the service ends. */
const OTHER_COMMANDS = ["config", "completion", "gateway", "grpc-proxy", "help", "oci-hook"]

/** Whether a command line starts the service of a component, and not another command of the same program. */
export function isService(name: ComponentName, argv: readonly string[]): boolean {
  if (specOf(name).isProvided === true) return true
  const [, first = ""] = argv
  return argv.length > 0 && !OTHER_COMMANDS.includes(first) && !argv.some((word) => SHORT_COMMANDS.includes(word))
}

/** The environment from a list of NAME=VALUE. */
export function environmentOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const),
  )
}

/** Whether a file is a copy of a component's program, by machine, file and program. A file is compared once. */
const copies = new WeakMap<Machine, Map<string, Promise<boolean>>>()

/** The program that each process runs, by pid, as far as it is a component's program or a copy of one. */
async function programsOf(machine: Machine): Promise<Map<string, string>> {
  const paths = specs.map(({ name }) => programPathOf(name))
  const { stdout } = await machine.run(
    ["sh", "-c", `stat --dereference --format='%d:%i %s %Z %n' ${paths.join(" ")} /proc/[0-9]*/exe 2>/dev/null`],
    { timeout: LOOK_WITHIN },
  )
  const files = stdout.split("\n").flatMap((line) => {
    const [identity = "", size = "", changed = "", path] = line.split(" ")
    return path === undefined ? [] : [{ identity, size, changed, path }]
  })
  const programs = files.filter(({ path }) => paths.includes(path))
  const known = copies.get(machine) ?? new Map<string, Promise<boolean>>()
  copies.set(machine, known)
  const found = await Promise.all(
    files.map(async (file): Promise<[string, string][]> => {
      const [, pid] = /^\/proc\/(\d+)\/exe$/.exec(file.path) ?? []
      const original = programs.find(({ size }) => size === file.size)
      if (pid === undefined || original === undefined) return []
      if (file.identity !== original.identity) {
        const key = `${file.identity} ${file.changed} ${original.path}`
        const isCopy =
          known.get(key) ??
          machine
            .run(["cmp", "--silent", file.path, original.path], { timeout: LOOK_WITHIN })
            .then(({ exitCode }) => exitCode === 0)
            .catch(() => {
              known.delete(key) // The machine is busy. Until the next look, the process is known by its name only.
              return false
            })
        known.set(key, isCopy)
        if (!(await isCopy)) return []
      }
      return [[pid, original.path.split("/").at(-1) ?? ""]]
    }),
  )
  return new Map(found.flat())
}

async function words(machine: Machine, path: string): Promise<string[]> {
  return machine.read(path).then(
    (text) => text.toString().split("\0").slice(0, -1),
    () => [],
  ) // The process has ended in the meantime.
}

async function linkOf(machine: Machine, pid: number, name: "cwd" | "exe"): Promise<string> {
  return (await machine.run(["readlink", `/proc/${pid}/${name}`], { timeout: LOOK_WITHIN })).stdout.trim() || "/"
}

/**
 * The command line with which a process can be started again. If the first word of its own is not the name of the
 * program (exec -a), the path of the program takes its place.
 */
export function againOf({ name, argv, exe }: Pick<FoundProcess, "name" | "argv" | "exe">): string[] {
  const [first = "", ...rest] = argv
  return [first.split("/").at(-1) === specOf(name).program ? first : exe, ...rest]
}

/** A copy of a command line with changed flags. */
export function argvWith(argv: readonly string[], changes: FlagChanges): string[] {
  const [program = "", ...rest] = argv
  const kept: string[] = []
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ""
    const name = word.startsWith("-") ? flagNameIn(word) : ""
    if (!(name in changes)) kept.push(word)
    // The next word is the value of the flag.
    else if (!word.includes("=") && rest[at + 1]?.startsWith("-") === false) at++
  }
  return [
    program,
    ...kept,
    ...Object.entries(changes).flatMap(([flag, value]) =>
      value === null ? [] : [value === "" ? flag : `${flag}=${value}`],
    ),
  ]
}

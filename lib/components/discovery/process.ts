import type { FlagChanges } from "../component.ts"
import { specs, type ComponentName } from "../registry.ts"
import type { Machine } from "../../machines/machine.ts"

/** A process of a component. It does not matter which program started it. */
export interface FoundProcess {
  readonly name: ComponentName
  readonly pid: number
  /** stopped: the process is suspended by SIGSTOP. */
  readonly state: "running" | "stopped"
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

/**
 * The timeout of a command that inspects processes (milliseconds), so that a hanging machine does not hang the caller.
 * All processes are inspected at the same time, and each command in a container needs a handshake: on a slow host that
 * takes seconds.
 */
const LOOK_WITHIN = 30_000

/**
 * All processes of components, the oldest first. A component can have several processes, for example if a second
 * kube-scheduler runs.
 */
export async function findProcesses(machine: Machine): Promise<FoundProcess[]> {
  const { stdout } = await machine.run(["ps", "-e", "--sort=start_time,pid", "-o", "pid=,stat=,comm="], {
    timeout: LOOK_WITHIN,
  })
  const rows = stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, state = "Z"]) => !state.startsWith("Z"))
  // The kernel keeps the first 15 characters of a program's name only.
  const candidates = rows.filter(([, , comm = ""]) => specs.some(({ program }) => comm === program.slice(0, 15)))
  const found = await Promise.all(
    candidates.map(async ([id = "", state = ""]) => {
      const pid = Number(id)
      const [argv, environment, cwd] = await Promise.all([
        words(machine, `/proc/${pid}/cmdline`),
        words(machine, `/proc/${pid}/environ`),
        cwdOf(machine, pid),
      ])
      const program = argv[0]?.split("/").at(-1)
      return specs
        .filter((spec) => spec.program === program)
        .map(({ name }): FoundProcess => ({
          name,
          pid,
          state: state.startsWith("T") ? "stopped" : "running",
          argv,
          cwd,
          env: Object.fromEntries(
            environment.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
          ),
        }))
    }),
  )
  return found.flat()
}

async function words(machine: Machine, path: string): Promise<string[]> {
  return machine.read(path).then(
    (text) => text.toString().split("\0").slice(0, -1),
    () => [],
  ) // The process has ended in the meantime.
}

async function cwdOf(machine: Machine, pid: number): Promise<string> {
  return (await machine.run(["readlink", `/proc/${pid}/cwd`], { timeout: LOOK_WITHIN })).stdout.trim() || "/"
}

/** A copy of a command line with changed flags. */
export function argvWith(argv: readonly string[], changes: FlagChanges): string[] {
  const [program = "", ...rest] = argv
  const kept: string[] = []
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ""
    const name = word.startsWith("-") ? word.replace(/^--?/, "--").replace(/=.*/s, "").replaceAll("_", "-") : ""
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

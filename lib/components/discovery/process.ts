import type { FlagChanges } from "../component.ts"
import { specs, type ComponentName } from "../registry.ts"
import type { Machine } from "../../machines/machine.ts"

/** A component's process, whoever started it. */
export interface FoundProcess {
  readonly name: ComponentName
  readonly pid: number
  /** stopped: SIGSTOP has frozen it. */
  readonly state: "running" | "stopped"
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

/** Milliseconds; whatever hangs must not make whoever looks hang. All processes are looked at at once, and each look at a container is a handshake: a slow host takes seconds for them. */
const LOOK_WITHIN = 30_000

/** Every component that has a process, oldest first; of one that has several, such as a second scheduler, each. */
export async function findProcesses(machine: Machine): Promise<FoundProcess[]> {
  const { stdout } = await machine.run(["ps", "-e", "--sort=start_time,pid", "-o", "pid=,stat=,comm="], {
    timeout: LOOK_WITHIN,
  })
  const rows = stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, state = "Z"]) => !state.startsWith("Z"))
  // The kernel cuts a program's name at 15 characters.
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
  ) // It has ended meanwhile.
}

async function cwdOf(machine: Machine, pid: number): Promise<string> {
  return (await machine.run(["readlink", `/proc/${pid}/cwd`], { timeout: LOOK_WITHIN })).stdout.trim() || "/"
}

/** A command line with other flags. */
export function argvWith(argv: readonly string[], changes: FlagChanges): string[] {
  const [program = "", ...rest] = argv
  const kept: string[] = []
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? ""
    const name = word.startsWith("-") ? word.replace(/^--?/, "--").replace(/=.*/s, "").replaceAll("_", "-") : ""
    if (!(name in changes)) kept.push(word)
    else if (!word.includes("=") && rest[at + 1]?.startsWith("-") === false) at++ // Its value is the next word.
  }
  return [
    program,
    ...kept,
    ...Object.entries(changes).flatMap(([flag, value]) =>
      value === null ? [] : [value === "" ? flag : `${flag}=${value}`],
    ),
  ]
}

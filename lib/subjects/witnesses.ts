import { FailureError } from "../failures/errors.ts"
import type { ProgramsReplaced } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"

/** Programs with which the lessons inspect the machine were replaced. */
class WitnessReplacedError extends FailureError<ProgramsReplaced> {}

/** The programs with which the lessons inspect the machine. */
const PROGRAMS = [
  "kubectl",
  "etcdctl",
  "etcdutl",
  "ctr",
  "crane",
  "sh",
  "cat",
  "curl",
  "ip",
  "kill",
  "openssl",
  "ps",
  "readlink",
  "ss",
  "stat",
  "tr",
]

/**
 * The identities of the programs with which the lessons inspect the machine, from before any script ran. Their answers
 * count only if the programs are unchanged.
 */
export class Witnesses {
  readonly #machine: Machine
  readonly #before: ReadonlyMap<string, string>

  private constructor(machine: Machine, before: ReadonlyMap<string, string>) {
    this.#machine = machine
    this.#before = before
  }

  static async remember(machine: Machine): Promise<Witnesses> {
    return new Witnesses(machine, await identities(machine))
  }

  /** @throws WitnessReplacedError with the programs that have changed */
  async check(): Promise<void> {
    const now = await identities(this.#machine)
    const other = [...this.#before]
      .filter(([name, identity]) => now.get(name) !== identity)
      .map(([name]) => ({ name, path: now.get(name)?.split(" ")[0] }))
    if (other.length > 0)
      throw new WitnessReplacedError(
        { kind: "programs-replaced", programs: other },
        "Do not replace these programs. Keep your own programs in other folders.",
      )
  }
}

/**
 * "PATH DEVICE:INODE SIZE CHANGED" of each program, by name. It changes if another program comes first on PATH, is
 * mounted over the program, or is written over it.
 */
async function identities(machine: Machine): Promise<Map<string, string>> {
  const { stdout } = await machine.run([
    "sh",
    "-c",
    `for name in ${PROGRAMS.join(" ")}; do printf '%s ' $name; stat --dereference --format='%n %d:%i %s %Z' "$(command -v $name)" || echo; done`,
  ])
  return new Map(
    stdout
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
  )
}

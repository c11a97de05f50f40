import { FailureError } from "../failures/errors.ts"
import type { ProgramsReplaced } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"

/** Programs that the lessons look with were replaced. */
class WitnessReplacedError extends FailureError<ProgramsReplaced> {}

/** The programs that the lessons look with. */
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

/** The programs that the lessons look with, as they were before any script ran: their answers count only as long as they are the same. */
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

  /** @throws WitnessReplacedError which names those that are others now */
  async check(): Promise<void> {
    const now = await identities(this.#machine)
    const other = [...this.#before]
      .filter(([name, identity]) => now.get(name) !== identity)
      .map(([name]) => ({ name, path: now.get(name)?.split(" ")[0] }))
    if (other.length > 0)
      throw new WitnessReplacedError(
        { kind: "programs-replaced", programs: other },
        "Leave them as they are; keep programs of your own in other folders.",
      )
  }
}

/** "PATH DEVICE:INODE SIZE CHANGED", by name: another one first on PATH, one that is mounted over it and one that is written over it differ. */
async function identities(machine: Machine): Promise<Map<string, string>> {
  const { stdout } = await machine.run([
    "sh",
    "-c",
    `for name in ${PROGRAMS.join(" ")}; do printf '%s ' $name; stat --dereference --format='%n %d:%i %s %Z' "$(command -v $name)"; done`,
  ])
  return new Map(
    stdout
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
  )
}

import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { stat } from "node:fs/promises"
import { pipeline } from "node:stream/promises"
import type { Artifacts } from "../clusters/artifacts.ts"
import type { ComponentName } from "../components/component.ts"
import type { Machine } from "../machines/machine.ts"

/**
 * Checks whether a process runs the program that the machine was given. The path and the name of the program do not
 * matter.
 */
export class Genuine {
  readonly #machine: Machine
  readonly #artifacts: Artifacts

  constructor(machine: Machine, artifacts: Artifacts) {
    this.#machine = machine
    this.#artifacts = artifacts
  }

  /** @returns evidence that the program differs; undefined if the program is the same or the process has ended */
  async doubt(name: ComponentName, pid: number): Promise<string | undefined> {
    const given = this.#artifacts.binds.find(({ target }) => target === `/usr/local/bin/${name}`)?.source
    if (given === undefined) return undefined
    const { dev, ino } = await stat(given)
    const seen = await this.#machine.run(["stat", "--dereference", "--format=%d:%i", `/proc/${pid}/exe`])
    if (seen.stdout.trim() === `${dev}:${ino}`) return undefined // It is the same file, seen through a bind mount.
    const program = await this.#machine.read(`/proc/${pid}/exe`).catch(() => undefined)
    if (program === undefined) return undefined
    const [wanted, found] = [await digest(given), createHash("sha256").update(program).digest("hex")]
    return found === wanted ? undefined : `/proc/${pid}/exe: sha256 ${found.slice(0, 16)}…, not ${wanted.slice(0, 16)}…`
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256")
  await pipeline(createReadStream(path), hash)
  return hash.digest("hex")
}

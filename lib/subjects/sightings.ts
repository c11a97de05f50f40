import { environmentOf, isService, programPathOf, type FoundProcess } from "../components/discovery/process.ts"
import { learnersSpecs, type ComponentName } from "../components/registry.ts"
import type { Machine, Sight } from "../machines/machine.ts"

/** A process of a component that was seen while it lived, however short that was. */
export interface Sighting extends Omit<FoundProcess, "state" | "exe"> {
  readonly parent: number
  /** The file that its standard error leads to; undefined if that is no file. */
  readonly log: string | undefined
  /** When it began and ended (milliseconds since the epoch); `ended` is undefined while it lives. */
  readonly began: number
  readonly ended: number | undefined
  /** When this program learned of the end, by its own clock (performance.now()). */
  readonly noticed: number | undefined
}

/**
 * The processes of components on a machine, also those that live too short for a look at the list of processes. It
 * watches only while a component is awaited, because that costs some of the processor's time.
 */
export class Sightings {
  readonly #machine: Machine
  readonly #all: Sighting[] = []
  #watch: Promise<AsyncDisposable> | undefined
  #watchers = 0

  constructor(machine: Machine) {
    this.#machine = machine
  }

  /** How many processes were seen so far: a position for `of`. */
  get count(): number {
    return this.#all.length
  }

  /** Watches while an action runs. */
  async during<T>(action: () => Promise<T>): Promise<T> {
    this.#watchers++
    this.#watch ??= this.#begin()
    try {
      await this.#watch
      return await action()
    } finally {
      if (--this.#watchers === 0) {
        const watch = await this.#watch
        // Another action may have begun in the meantime.
        if (this.#watchers === 0) {
          this.#watch = undefined
          await watch[Symbol.asyncDispose]()
        }
      }
    }
  }

  /** The processes of a component that were seen, the oldest first. @param since a former `count` */
  of(name: ComponentName, since = 0): readonly Sighting[] {
    return this.#all.slice(since).filter((sighting) => sighting.name === name)
  }

  /** Whether a process of a component was seen. @param since a former `count` */
  has(name: ComponentName, since: number): boolean {
    return this.of(name, since).length > 0
  }

  /** Whether the last process of a component has ended and no other was seen for some time (milliseconds). */
  hasEnded(name: ComponentName, since: number, time: number): boolean {
    const noticed = this.of(name, since).at(-1)?.noticed
    return noticed !== undefined && performance.now() - noticed > time
  }

  async #begin(): Promise<AsyncDisposable> {
    const alive = new Set<number>()
    const watch = await this.#machine.watch(
      learnersSpecs.map(({ name }) => programPathOf(name)),
      (sight) => {
        alive.add(sight.pid)
        this.#note(sight)
      },
    )
    // The others have ended while nothing was learnersSpecs.
    for (const { pid, ended } of this.#all)
      if (ended === undefined && !alive.has(pid)) this.#note({ is: "gone", pid, at: Date.now() })
    return watch
  }

  #note(sight: Sight): void {
    if (sight.is === "seen") {
      const { pid, parent, argv, cwd, at } = sight
      const name = learnersSpecs.find((spec) => programPathOf(spec.name) === sight.program)?.name
      const isKnown = this.#all.some((one) => one.pid === pid && one.ended === undefined)
      if (name === undefined || isKnown || !isService(name, argv)) return
      const env = environmentOf(sight.env)
      const log = fileOf(sight.stderr)
      this.#all.push({ name, pid, parent, argv, env, cwd, log, began: at, ended: undefined, noticed: undefined })
      return
    }
    const at = this.#all.findLastIndex(({ pid }) => pid === sight.pid)
    const sighting = this.#all[at]
    if (sighting === undefined || sighting.ended !== undefined) return
    if (sight.is === "logs") this.#all[at] = { ...sighting, log: fileOf(sight.stderr) }
    else this.#all[at] = { ...sighting, ended: sight.at, noticed: performance.now() }
  }
}

/** A file that is a log: no device, pipe or socket. */
export function fileOf(target: string): string | undefined {
  return target.startsWith("/") && !target.startsWith("/dev/") ? target.replace(/ \(deleted\)$/, "") : undefined
}

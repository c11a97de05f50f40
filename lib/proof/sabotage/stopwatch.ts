import type { ComponentName } from "../../components/component.ts"
import type { RunEvent } from "../../report/events.ts"

/** Measures how long a run takes from the start of what fails to its first card. */
export class Stopwatch {
  readonly #now: () => number
  readonly #components = new Map<ComponentName, number>()
  #outcome = 0
  #toCard: number | undefined

  /** @param now milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * Seconds to the first card. They count from the last start of the component that failed, or from the beginning of
   * the outcome if no component failed. undefined if there was no card.
   */
  get toCard(): number | undefined {
    return this.#toCard === undefined ? undefined : this.#toCard / 1000
  }

  /** Receives each event of the run when it happens. */
  read(event: RunEvent): void {
    if (event.type === "outcome started") this.#outcome = this.#now()
    if (event.type === "component started") this.#components.set(event.component, this.#now())
    if (event.type !== "outcome ended" || event.result.card === null || this.#toCard !== undefined) return
    const { failure } = event.result.card
    const began = "log" in failure ? this.#components.get(failure.name) : undefined
    this.#toCard = this.#now() - (began ?? this.#outcome)
  }
}

/** The middle and the largest of some times, as a line. */
export function summary(times: readonly { readonly id: string; readonly seconds: number }[]): string {
  const sorted = times.toSorted((one, other) => one.seconds - other.seconds)
  const [median, worst] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted.at(-1)]
  if (median === undefined || worst === undefined) return "No card was printed."
  return `median ${median.seconds.toFixed(1)} s, worst ${worst.seconds.toFixed(1)} s (${worst.id}), of ${sorted.length}`
}

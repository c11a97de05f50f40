import { channel } from "node:diagnostics_channel"
import { deferred } from "../base/deferred.ts"
import { DEFAULT_PATIENCE, readSettings } from "../base/settings.ts"
import { describe, shown } from "./describe.ts"
import type { Failure } from "./failure.ts"
import type { Finding } from "./finding.ts"

/** A cause that was seen once. It ends a wait if it is seen again. */
export interface Foreseen {
  readonly finding: Finding
  /** How long looks must show the same before the cause is certain (milliseconds). If it is 0, one look is enough. */
  readonly lasting: number
}

/**
 * Looks once for causes that no time heals: what is awaited cannot happen unless a person acts.
 * @param failure what would be reported if the wait ended now
 * @returns the causes, the most specific first; none if what is awaited can still happen
 */
export type Foresee = (failure: Failure) => Promise<readonly Foreseen[]>

/** What is awaited, for a line that a person reads. */
export interface WaitEvent {
  /** Such as "kube-apiserver becomes ready". */
  readonly awaited: string
  /** Milliseconds since the wait began. */
  readonly milliseconds: number
  /** The last answer, such as "connect ECONNREFUSED 127.0.0.1:6443"; "" if there is none yet. */
  readonly answer: string
}

/**
 * Milliseconds from the beginning of a wait to the first look. Most waits have ended by then, and cost no look. On a
 * machine that needs more patience, it is as many times longer.
 */
const FIRST = 1_000
/** Milliseconds between a look that found a cause and the next look. */
const AGREE = 1_000
/** How much longer the pause after each look that found nothing is, and the longest pause (milliseconds). */
const GROWTH = 1.5
const LONGEST = 4_000
/** A pause lasts at least this many times as long as the look before it, so that looks leave a slow machine its time. */
const SHARE = 4
/** The longest pause for that reason (milliseconds): a look can also be slow because what it asks does not answer. */
const LONGEST_SHARE = 8_000
/** Milliseconds between two reports of a wait. The first comes after two of them. */
const REPORT_EVERY = 1_000

// A channel of node:diagnostics_channel: a wait does not need to know the listeners, and without a listener a report
// costs nothing.
const events = channel("byhand:wait")

/** Calls a listener every second for each wait in this process that lasts longer than two seconds. */
export function onWait(listener: (event: WaitEvent) => void): void {
  events.subscribe((event) => {
    listener(event as WaitEvent) // Only Wait publishes on this channel.
  })
}

/**
 * Accompanies a wait: reports each second how long it has lasted, and looks again and again for causes that no time
 * heals, until one is certain. The caller does the waiting, and disposes of this when the wait has ended.
 */
export class Wait implements Disposable {
  readonly #awaited: string
  readonly #foresee: Foresee | undefined
  readonly #failure: () => Failure | undefined
  readonly #certainty = deferred<Finding>()
  readonly #began = performance.now()
  readonly #reporting: NodeJS.Timeout
  #looking: NodeJS.Timeout | undefined
  #isOver = false
  #pause = FIRST
  /** When each cause was first seen, if all looks have shown it since then. */
  #since = new Map<string, number>()

  /**
   * @param awaited what must happen, such as "kube-apiserver becomes ready"
   * @param failure returns what would be reported if the wait ended now; undefined if there is no answer yet
   * @param foresee takes one look; undefined if nothing can be foreseen
   */
  constructor(awaited: string, failure: () => Failure | undefined, foresee: Foresee | undefined) {
    this.#awaited = awaited
    this.#failure = failure
    this.#foresee = foresee
    if (foresee !== undefined) this.#lookIn(FIRST * Math.max(1, readSettings().patience / DEFAULT_PATIENCE))
    this.#reporting = setInterval(() => {
      this.#report()
    }, REPORT_EVERY)
    this.#reporting.unref()
  }

  /** Resolves to the cause as soon as it is certain. It never rejects, and stays pending if nothing is certain. */
  get certainty(): Promise<Finding> {
    return this.#certainty.promise
  }

  #report(): void {
    const milliseconds = performance.now() - this.#began
    if (milliseconds < 2 * REPORT_EVERY || !events.hasSubscribers) return
    const failure = this.#failure()
    events.publish({ awaited: this.#awaited, milliseconds, answer: answerIn(failure) } satisfies WaitEvent)
  }

  #lookIn(milliseconds: number): void {
    this.#looking = setTimeout(() => void this.#look(), milliseconds)
    this.#looking.unref()
  }

  async #look(): Promise<void> {
    const now = performance.now()
    const failure = this.#failure()
    // The machine may end during a look. The wait notices that itself.
    const found = failure === undefined ? [] : ((await this.#foresee?.(failure).catch(() => [])) ?? [])
    if (this.#isOver) return
    this.#since = new Map(found.map(({ finding }) => [keyOf(finding), this.#since.get(keyOf(finding)) ?? now]))
    const certain = found.find(
      ({ finding, lasting }) =>
        lasting === 0 || now - (this.#since.get(keyOf(finding)) ?? now) >= Math.max(lasting, AGREE),
    )
    if (certain !== undefined) {
      this.#certainty.resolve(certain.finding)
      return
    }
    this.#pause = found.length > 0 ? AGREE : Math.min(this.#pause * GROWTH, LONGEST)
    const took = performance.now() - now
    this.#lookIn(Math.max(this.#pause, found.length > 0 ? took : Math.min(SHARE * took, LONGEST_SHARE)))
  }

  /** Ends the looks and the reports. */
  [Symbol.dispose](): void {
    this.#isOver = true
    clearTimeout(this.#looking)
    clearInterval(this.#reporting)
  }
}

/** Two findings with the same key state the same fact. Their evidence can differ, such as in the time of a log line. */
function keyOf({ id, component, cause }: Finding): string {
  return JSON.stringify([id, component, cause])
}

/** The last answer that a failure holds, as one line. */
function answerIn(failure: Failure | undefined): string {
  if (failure === undefined) return ""
  const answer =
    failure.kind === "not-ready"
      ? (failure.answer ?? "")
      : failure.kind === "mismatch" && failure.cause === undefined
        ? shown(failure.actual)
        : describe(failure)
  return answer.trim().split("\n").at(-1) ?? ""
}

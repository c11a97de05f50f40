import { Pace } from "../base/pace.ts"
import type { Failure } from "./failure.ts"
import type { Finding } from "./finding.ts"
import { Wait, type Foresee } from "./wait.ts"

/** The shortest pause between two attempts (milliseconds). */
const INTERVAL = 40

/** What is awaited, and for how long. */
export interface Awaited {
  /** What must happen, such as "the Node is ready". */
  readonly what: string
  /** Milliseconds. */
  readonly patience: number
  /** What would be reported if the wait ended after this attempt; the error is undefined during the first attempt. */
  readonly failureOf: (error: unknown) => Failure
  /** Looks for causes that no time heals; undefined if nothing can be foreseen. */
  readonly foresee: Foresee | undefined
  /** Whether no further attempt is made after this error. By default, every error leads to a further attempt. */
  readonly isFinal?: (error: unknown) => boolean
}

/** A wait has ended without what it waited for. The cause is the error of the last attempt. */
export class WaitError extends Error {
  /** The cause that no time heals; undefined if the patience ran out. */
  readonly finding: Finding | undefined

  constructor(what: string, last: unknown, finding: Finding | undefined) {
    super(`What was awaited did not happen: ${what}`, { cause: last })
    this.name = "WaitError"
    this.finding = finding
  }

  get hasTimedOut(): boolean {
    return this.finding === undefined
  }
}

/**
 * Attempts something again and again until it succeeds, until it cannot succeed any more, or until the patience runs
 * out.
 * @throws WaitError, or a final error of the attempt
 */
export async function attemptUntil<T>(
  attempt: () => T | Promise<T>,
  { what, patience, failureOf, foresee, isFinal = () => false }: Awaited,
): Promise<T> {
  const began = performance.now()
  let last: { readonly error: unknown } | undefined
  using wait = new Wait(what, () => failureOf(last?.error), foresee)
  const certainty = wait.certainty.then((finding) => ({ finding }))
  const pace = new Pace(INTERVAL)
  for (;;) {
    const result = await Promise.race([resultOf(attempt), certainty])
    if ("value" in result) return result.value
    if ("finding" in result) throw new WaitError(what, last?.error ?? new Error("There was no answer."), result.finding)
    if (isFinal(result.error)) throw result.error
    last = result
    if (performance.now() - began > patience) throw new WaitError(what, last.error, undefined)
    await pace.pause()
  }
}

/** The result of one attempt. It never rejects, because a wait can end while an attempt is still under way. */
export async function resultOf<T>(attempt: () => T | Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await attempt() }
  } catch (error) {
    return { error }
  }
}

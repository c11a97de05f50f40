import { assertNever } from "../base/assert-never.ts"
import type { Settings } from "../base/settings.ts"
import { isExcepted } from "../curriculum/except.ts"

/**
 * All verdicts on an outcome, the worst first. The order is the ranking: a lesson has the verdict of its worst
 * outcome.
 */
export const VERDICTS = ["failed", "blocked", "cannot check here", "not started", "passed", "not chosen"] as const

/** The verdict on one outcome. */
export type Verdict = (typeof VERDICTS)[number]

/** @returns the worst of some verdicts; "not chosen" if there are none */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS.find((verdict) => verdicts.includes(verdict)) ?? "not chosen"
}

/** The number of outcomes in each of the three columns of the closing line. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** The column of the closing line that counts a verdict. */
function columnOf(verdict: Verdict): keyof Counts {
  switch (verdict) {
    case "passed":
    case "failed":
      return verdict
    case "blocked":
    case "cannot check here":
    case "not started":
    case "not chosen":
      return "skipped"
    default:
      return assertNever(verdict)
  }
}

/** Counts verdicts by the columns of the closing line. */
export function countsOf(verdicts: readonly Verdict[]): Counts {
  const count = (column: keyof Counts) => verdicts.filter((verdict) => columnOf(verdict) === column).length
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") }
}

/**
 * Whether a verdict makes the run fail. The strict setting also counts outcomes that cannot be checked on this host,
 * except those that BYHAND_EXCEPT names.
 */
export function isFailure(
  verdict: Verdict,
  outcome: { readonly lesson: string; readonly title: string },
  { strict, except }: Pick<Settings, "strict" | "except">,
): boolean {
  switch (verdict) {
    case "failed":
    case "blocked":
      return true
    case "cannot check here":
      return strict && !isExcepted(outcome, except)
    case "not started":
    case "passed":
    case "not chosen":
      return false
    default:
      return assertNever(verdict)
  }
}

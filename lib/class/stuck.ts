import { isOwnFailure } from "../report/points.ts"
import type { OutcomeResult, RunResult } from "../report/result.ts"
import type { Row } from "./row.ts"

/** An outcome that did not pass, and its lesson. */
export interface FailedOutcome {
  /** Two digits. */
  readonly lesson: string
  readonly test: OutcomeResult
}

/** Where a student does not get further, and since when. */
export type Stuck = NonNullable<Row["stuck"]>

/**
 * What did not pass by a student's own mistake, in the order of the lessons. What this host cannot check is no
 * mistake.
 */
export function mistakesIn({ lessons }: Pick<RunResult, "lessons">): FailedOutcome[] {
  return lessons.flatMap(({ id, tests }) =>
    tests
      .filter((test) => isOwnFailure(test) && (test.verdict === "failed" || test.verdict === "blocked"))
      .map((test) => ({ lesson: id, test })),
  )
}

/** What identifies a mistake: the finding, or the outcome if no known cause matches. */
export function causeOf({ id, finding }: OutcomeResult): string {
  return finding ?? id
}

/**
 * Where a student is stuck: at the first mistake. The time is that of the earlier result if that had the same first
 * mistake. A run that gives no grade says nothing about it, so it changes nothing.
 * @param earlier what the folder of results has of the student
 * @returns undefined if there is no mistake
 */
export function stuckOf({ outcome, at }: Row, earlier: Row | undefined): Stuck | undefined {
  const before = earlier === undefined ? undefined : storedIn(earlier)
  if (outcome.kind === "ungraded") return before
  const [first] = mistakesIn(outcome.result)
  if (first === undefined) return undefined
  const [lesson, cause] = [first.lesson, causeOf(first.test)]
  return { lesson, cause, since: before?.lesson === lesson && before.cause === cause ? before.since : at }
}

/** Where a stored student is stuck. An older version has not stored it, but the result says it. */
export function storedIn(row: Row): Stuck | undefined {
  return row.stuck === undefined ? stuckOf(row, undefined) : (row.stuck ?? undefined)
}

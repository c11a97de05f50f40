import type { LessonResult, OutcomeResult, RunResult } from "./result.ts"

/** Points: those that were reached, and the largest number that could be reached. */
export interface Points {
  readonly reached: number
  readonly most: number
}

/** Whether an outcome was chosen, and its lesson was not left out. */
export function isGraded({ verdict }: OutcomeResult): boolean {
  return verdict !== "not chosen" && verdict !== "not started"
}

/** One point for an outcome that passed; none is possible for an outcome that was not chosen or not started. */
export function pointsOf(test: OutcomeResult): Points {
  return { reached: test.verdict === "passed" ? 1 : 0, most: isGraded(test) ? 1 : 0 }
}

/** The points of a lesson. */
export function pointsOfLesson({ tests }: LessonResult): Points {
  return sum(tests.map(pointsOf))
}

/** The points of a run. A fault counts as an outcome that did not pass. */
export function pointsOfRun({ lessons, faults }: Pick<RunResult, "lessons" | "faults">): Points {
  return sum([...lessons.map(pointsOfLesson), ...faults.map(() => ({ reached: 0, most: 1 }))])
}

function sum(all: readonly Points[]): Points {
  return {
    reached: all.reduce((total, { reached }) => total + reached, 0),
    most: all.reduce((total, { most }) => total + most, 0),
  }
}

/**
 * Whether an outcome is shown as a failure of its own. A blocked outcome is not, because the lesson that blocks it is
 * shown; it has a card if that lesson does not run.
 */
export function isOwnFailure({ verdict, counts, card }: OutcomeResult): boolean {
  return counts && (verdict !== "blocked" || card !== null)
}

/**
 * Whether the run says something about the subject. It does not if no machine could be started, a program could not be
 * obtained, or a lesson's file cannot be loaded: those are faults of the host or of this suite.
 */
export function wasGraded({ lessons, faults }: RunResult): boolean {
  // A failure without a card happened before there was a cluster to look at.
  const isAnswer = ({ verdict, card }: OutcomeResult) => verdict === "passed" || (verdict === "failed" && card !== null)
  return faults.length === 0 && lessons.some(({ tests }) => tests.some(isAnswer))
}

import type { LessonResult } from "../../report/result.ts"
import type { Verdict } from "../../report/verdict.ts"

/** A task for a grader process. */
export type Task =
  /**
   * Grade lessons on a cluster with this sabotage, or without sabotage if it is undefined. An empty list means all
   * lessons. With a subject, the learner's folder at this path is graded; otherwise our own cluster is.
   */
  | {
      readonly kind: "lessons"
      readonly sabotage: string | undefined
      readonly lessons: readonly string[]
      readonly subject?: string | undefined
      /** Whether the run ends with the first outcome that fails. */
      readonly endsAtFailure?: boolean
    }
  /** Examine a cluster once for each sabotage. If the list is empty, examine one cluster without sabotage. */
  | { readonly kind: "doctor"; readonly sabotages: readonly string[] }

/** The result of one test. */
export interface TestResult {
  /** The lesson's number and the test's title: "03 a ConfigMap that …". */
  readonly test: string
  readonly verdict: Verdict
  readonly reason: string
  /** The id of the finding on the test's card; "none" if the card says that no known cause matches. */
  readonly finding: string
  /** The sentences, evidence and commands of that finding. */
  readonly advice: string
}

/** The result of each test of some lessons. */
export function testResultsOf(lessons: readonly LessonResult[]): TestResult[] {
  return lessons.flatMap(({ id, tests }) =>
    tests.map(({ title, verdict, reason, finding, card }) => ({
      test: `${id} ${title}`,
      verdict,
      reason: reason ?? "",
      finding: finding ?? "none",
      advice: Object.values(card?.finding ?? {}).join("\n"),
    })),
  )
}

/** The answer of a grader process. `errors` says why something could not be tried. */
export type Answer =
  | {
      readonly kind: "lessons"
      readonly tests: readonly TestResult[]
      readonly errors: readonly string[]
      /** Seconds from the start of what failed to the first card; undefined if there was none. */
      readonly toCard: number | undefined
    }
  | { readonly kind: "doctor"; readonly examined: readonly Examination[] }

/** The result of one examination by the doctor. */
export interface Examination {
  /** The id of the sabotage. Undefined for a cluster without sabotage. */
  readonly sabotage: string | undefined
  /** Ids of findings, each once. */
  readonly findings: readonly string[]
  readonly errors: readonly string[]
  readonly seconds: number
}

import type { Verdict } from "../../report/verdict.ts"

/** What a grader process is asked to do. */
export type Task =
  /** Grade lessons, on a cluster with this sabotage or on a whole one. All lessons where none is named. */
  | { readonly kind: "lessons"; readonly sabotage: string | undefined; readonly lessons: readonly string[] }
  /** Start one cluster and examine it once for each sabotage; with no sabotage, examine it as it is. */
  | { readonly kind: "doctor"; readonly sabotages: readonly string[] }

/** What became of one test. */
export interface TestResult {
  /** The lesson's number and the test's title: "03 a ConfigMap that …". */
  readonly test: string
  readonly verdict: Verdict
  readonly reason: string
  /** The id of the finding on the test's card; "none" where the card says that nothing known fits. */
  readonly finding: string
}

/** What a grader process answers. `errors` says why something could not be tried. */
export type Answer =
  | { readonly kind: "lessons"; readonly tests: readonly TestResult[]; readonly errors: readonly string[] }
  | { readonly kind: "doctor"; readonly examined: readonly Examination[] }

/** What the doctor found. */
export interface Examination {
  /** Undefined for a cluster in which nothing was broken. */
  readonly sabotage: string | undefined
  /** Ids of findings, each once. */
  readonly findings: readonly string[]
  readonly errors: readonly string[]
  readonly seconds: number
}

import type { RunResult } from "../result.ts"

/** A graded run, with what formats say about it besides its result. */
export interface GradedRun {
  readonly result: RunResult
  /** Whether the run has ended. If not, the result has only the outcomes that were checked until now. */
  readonly hasEnded: boolean
  /** How grade books name the student: a login, an e-mail address or a number. */
  readonly student: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Where platforms describe the submission. */
  readonly environment: NodeJS.ProcessEnv
}

/** A form in which a result can be written. */
export interface Format {
  /** Its name in --format. */
  readonly name: string
  /** What reads it, for help and README. */
  readonly description: string
  /** The whole document. */
  readonly render: (run: GradedRun) => string
  /** Whether it is also written after each outcome, so that a run that is killed leaves the points that were earned. */
  readonly isLive?: true
  /**
   * Whether it is printed after the lines for people. Otherwise standard output has nothing else if it is printed
   * there.
   */
  readonly isLastOnOutput?: true
  /**
   * Whether `byhand grade` exits with 0 if the subject was graded, whatever the result is, because the platform takes
   * another exit status for an error of the grader.
   */
  readonly isGradedSuccess?: true
  /** What the environment lacks for it, as an end of "--format NAME …"; undefined if it lacks nothing. */
  readonly lacks?: (environment: NodeJS.ProcessEnv) => string | undefined
}

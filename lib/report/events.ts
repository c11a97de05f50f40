import type { ComponentEvent } from "../components/component-event.ts"
import type { WaitEvent } from "../failures/wait.ts"
import type { OutcomeResult, RunResult } from "./result.ts"

/** The outcome that an event belongs to. */
export interface OutcomeName {
  /** The lesson's number, two digits. */
  readonly lesson: string
  readonly title: string
}

/** What the test process reports while an outcome is checked. */
export type OutcomeEvent =
  | ComponentEvent
  | { readonly type: "evidence"; readonly line: string }
  /** Sent every second while something is awaited for longer than two seconds. */
  | ({ readonly type: "waiting" } & WaitEvent)

/**
 * What happens in a run, in order. Each `run started` is followed by one `run ended`, which carries the whole result.
 * Component events reach the readers with the outcome during which they happened; they can precede its `outcome
 * started`.
 */
export type RunEvent =
  | {
      readonly type: "run started"
      /** The version of vitest. */
      readonly runner: string
      readonly folder: string
      readonly kubernetes: string
      /** The learner's folder; null for the project's own cluster. */
      readonly subject: string | null
      /** Milliseconds since the epoch. */
      readonly at: number
    }
  | { readonly type: "lesson started"; readonly lesson: string; readonly title: string }
  | ({ readonly type: "outcome started" } & OutcomeName)
  | ({ readonly type: "outcome ended"; readonly result: OutcomeResult } & OutcomeName)
  | (OutcomeEvent & OutcomeName)
  /** What tests print. */
  | { readonly type: "output"; readonly text: string }
  | { readonly type: "run ended"; readonly result: RunResult }
  /** Watch mode: the next run starts when a file changes. */
  | { readonly type: "waiting for changes" }

/** Receives all events of a run. Everything that a run prints or writes comes from readers. */
export type Reader = (event: RunEvent) => void

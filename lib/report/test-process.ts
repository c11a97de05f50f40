import { recordArtifact, type TestArtifactBase, type TestContext } from "vitest"
import type { Artifacts, Needed } from "../clusters/artifacts.ts"
import type { Kind } from "../machines/provider.ts"
import type { Identifier } from "../subjects/host-identifiers.ts"
import type { StandIn } from "../subjects/subject.ts"
import type { Card } from "./card.ts"
import type { OutcomeEvent } from "./events.ts"

// How the process that runs the tests and vitest's own process, where the reporters are, exchange data.

const outcomeEvent = Symbol("byhand outcome event")

/**
 * An event that the test process sends. vitest passes artifacts to reporters at once, and vitest's own reporters do
 * not print ours.
 */
export interface OutcomeEventArtifact extends TestArtifactBase {
  readonly type: "byhand:event"
  readonly event: OutcomeEvent
}

/** What was prepared before the first lesson. */
export interface Preparations {
  /** The kind of machine that was chosen. */
  readonly machine: Kind
  /** The components and extra programs that the chosen lessons need. */
  readonly all: readonly Needed[]
  /** Those whose artifacts are ready; the others are prepared while the first lesson runs. */
  readonly ready: readonly Needed[]
  readonly artifacts: Artifacts
  /** The numbers of the lessons that the user has named; empty if all lessons run. */
  readonly demanded: readonly number[]
  /** The folder through whose sockets the graded host is reached. undefined if no host is graded. */
  readonly hostFolder?: string | undefined
}

declare module "vitest" {
  interface TaskMeta {
    /** What to type to see the same. */
    see?: string
    /** A line of what was seen. */
    evidence?: string
    /** Why it failed, and what to look at next. */
    card?: Card
    /** The components of ours with which it was checked, in place of the learner's. */
    standIns?: readonly StandIn[]
    /** The version of Kubernetes that the subject runs, if this program has not chosen it. */
    kubernetes?: string
    /** What identifies the running host and its cluster. */
    identifiers?: readonly Identifier[]
  }
  interface ProvidedContext {
    /** Artifacts and the kind of machine that the run has chosen, or why they could not be prepared. */
    preparation: Preparations | { failed: string }
  }
  interface TestArtifactRegistry {
    [outcomeEvent]: OutcomeEventArtifact
  }
}

const unsent = new Set<Promise<unknown>>()

/**
 * Sends an event to the reporters. It must be called while the test runs. An event that vitest does not accept is
 * dropped.
 */
export function sendEvent(task: TestContext["task"], event: OutcomeEvent): void {
  const sending = recordArtifact(task, { type: "byhand:event", event })
    .catch(() => undefined)
    .finally(() => unsent.delete(sending))
  unsent.add(sending)
}

/** Resolves when all events have arrived. A test ends after that, so that its events precede its result. */
export async function eventsSent(): Promise<void> {
  await Promise.all(unsent)
}

// Grades a learner's folder once, on the machine that BYHAND_RUN names. `byhand watch` starts this process before a file
// is saved: it loads vitest and the lessons, waits, and begins as soon as it is told with which lesson.
// It gets one message, Go, and sends two kinds of messages, Told.
import { readSettings } from "../base/settings.ts"
import { closedGate } from "../curriculum/gate.ts"
import { lessons, testFileOf } from "../curriculum/lessons.ts"
import type { RunEvent } from "../report/events.ts"
import { readersFor } from "../report/reporters.ts"
import { runResultOf, type LessonResult, type RunResult } from "../report/result.ts"
import { runLessons } from "../report/run-lessons.ts"
import type { ByhandOptions } from "../report/vitest-plugin.ts"

/** What a grader is told: the number of the lesson to begin with. */
export interface Go {
  readonly first: number
}

/** The answer of a grader: the number of the first lesson that does not pass; null if all pass. */
export interface Graded {
  readonly type: "graded"
  readonly failed: number | null
}

/** What a grader sends: that an outcome has ended, or its answer. */
export type Told = { readonly type: "outcome ended" } | Graded

const settings = readSettings()
const readers = readersFor(settings, "people")
const gate = await closedGate({ ...settings, run: settings.run ?? "" })

/** The lesson to begin with, and when that was told, in milliseconds since the epoch. */
let told: { first: number; at: number } | undefined
let held: RunEvent[] = []
let startedAt = 0
let failed: number | null = null

process.once("message", ({ first }: Go) => {
  told = { first, at: Date.now() }
  for (const event of held) read(event)
  held = []
  void gate.open(first)
})
process.once("disconnect", () => process.exit())

const options: ByhandOptions = {
  reader: (event) => {
    if (told === undefined) held.push(event)
    else read(event)
  },
}
await runLessons(lessons.map(testFileOf), options)
process.send?.({ type: "graded", failed } satisfies Told, () => process.exit())

/**
 * Passes an event to the readers, as if the run had started when it was told to, and had only the lessons that count.
 */
function read(event: RunEvent): void {
  const begun = told ?? { first: 0, at: Date.now() }
  if ("lesson" in event && Number(event.lesson) < begun.first) return
  if (event.type === "run started") startedAt = event.at
  if (event.type === "outcome ended") process.send?.({ type: "outcome ended" } satisfies Told)
  const shown =
    event.type === "run started"
      ? { ...event, at: begun.at }
      : event.type === "run ended"
        ? { ...event, result: whatCounts(event.result, begun) }
        : event
  for (const reader of readers) reader(shown)
}

/** The result without the lessons before the first one, and without those after the first that does not pass. */
function whatCounts(result: RunResult, { first, at }: { first: number; at: number }): RunResult {
  const begun = result.lessons.filter(({ id }) => Number(id) >= first)
  const end = begun.findIndex(isFailed)
  failed = result.faults.length > 0 && end < 0 ? first : end < 0 ? null : Number(begun[end]?.id)
  const run = { ...result, milliseconds: result.milliseconds - (at - startedAt) }
  return runResultOf(run, end < 0 ? begun : begun.slice(0, end + 1), result.faults)
}

function isFailed({ tests }: LessonResult): boolean {
  return tests.some(({ counts }) => counts)
}

import { basename } from "node:path"
import { messageOf } from "../base/errors.ts"
import { writeWhole } from "../base/write-whole.ts"
import type { Reader } from "./events.ts"
import type { GradedRun } from "./formats/format.ts"
import { lessonResultOf, runResultOf, type OutcomeResult, type RunResult } from "./result.ts"
import type { Target } from "./targets.ts"

/** What is known of a run that has not ended. */
interface Started {
  readonly kubernetes: string
  readonly subject: string | null
  readonly at: number
  /** Lessons with the outcomes that have ended, in order. */
  readonly lessons: Map<string, { readonly title: string; readonly tests: OutcomeResult[] }>
}

/**
 * Writes the documents of a run when it ends. Those of live formats are also written when it starts and after each
 * outcome. A document that cannot be written is reported on standard error, and the exit status becomes 1.
 * @param student how grade books name the student; by default the name of the graded folder
 */
export function targetReader(
  targets: readonly Target[],
  student: string | undefined,
  output: (text: string) => void = (text) => process.stdout.write(text),
  environment: NodeJS.ProcessEnv = process.env,
): Reader {
  let started: Started = { kubernetes: "", subject: null, at: 0, lessons: new Map() }
  const write = (result: RunResult, hasEnded: boolean) => {
    const run: GradedRun = {
      result,
      hasEnded,
      environment,
      startedAt: started.at,
      student: student ?? (result.subject === null ? "byhand" : basename(result.subject)),
    }
    for (const { format, file, given } of targets) {
      if (!hasEnded && (format.isLive !== true || file === undefined)) continue
      try {
        const text = format.render(run)
        if (file === undefined) output(text)
        else writeWhole(file, text)
      } catch (error) {
        process.stderr.write(`${given} cannot be written: ${messageOf(error)}.\n`)
        process.exitCode = 1
      }
    }
  }
  return (event) => {
    if (event.type === "run started")
      started = { kubernetes: event.kubernetes, subject: event.subject, at: event.at, lessons: new Map() }
    if (event.type === "lesson started") started.lessons.set(event.lesson, { title: event.title, tests: [] })
    if (event.type === "outcome ended") started.lessons.get(event.lesson)?.tests.push(event.result)
    if (event.type === "run started" || event.type === "outcome ended") write(untilNow(started), false)
    if (event.type === "run ended") write(event.result, true)
  }
}

/** The result of a run that has not ended. */
function untilNow({ kubernetes, subject, at, lessons }: Started): RunResult {
  return runResultOf(
    { kubernetes, subject, milliseconds: Date.now() - at },
    [...lessons].map(([id, { title, tests }]) => lessonResultOf({ id, title }, tests)),
    [],
  )
}

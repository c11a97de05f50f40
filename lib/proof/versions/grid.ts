import { supportOf } from "../../binaries/support.ts"
import { table } from "../../base/table.ts"
import type { LessonResult, RunResult } from "../../report/result.ts"
import { VERDICTS } from "../../report/verdict.ts"

/** What one version of Kubernetes gave. */
export interface Tried {
  /** Such as 1.37.2. */
  readonly version: string
  /** undefined if the run ended without a result. */
  readonly result: RunResult | undefined
}

/** A table of lessons and versions, and below it a line for each outcome that did not pass. */
export function grid(tried: readonly Tried[], today = new Date()): string {
  const lessons = new Map(tried.flatMap(({ result }) => (result?.lessons ?? []).map(({ id, title }) => [id, title])))
  const column = (cell: (one: Tried) => string) => tried.map(cell)
  const rows = [
    ["lesson", ...column(({ version }) => version)],
    ...[...lessons]
      .filter(([id]) => tried.some(({ result }) => wasTried(lessonIn(result, id))))
      .toSorted(([one], [other]) => one.localeCompare(other))
      .map(([id, title]) => [`${id} ${title}`, ...column(({ result }) => cellOf(lessonIn(result, id)))]),
    [
      "duration",
      ...column(({ result }) => (result === undefined ? "" : `${Math.round(result.milliseconds / 1000)} s`)),
    ],
  ]
  const support = tried.map(({ version }) => `Kubernetes ${version} is ${supportOf(version, today).text}.\n`)
  return [table(rows), "\n", ...support, ...tried.flatMap(problemsOf).map((line) => `${line}\n`)].join("")
}

function lessonIn(result: RunResult | undefined, wanted: string): LessonResult | undefined {
  return result?.lessons.find(({ id }) => id === wanted)
}

function wasTried(lesson: LessonResult | undefined): boolean {
  return lesson?.tests.some(({ verdict }) => verdict !== "not chosen") === true
}

/** Such as "12 passed", or "1 failed, 9 passed". */
function cellOf(lesson: LessonResult | undefined): string {
  return VERDICTS.map(
    (verdict) => [verdict, lesson?.tests.filter((test) => test.verdict === verdict).length ?? 0] as const,
  )
    .filter(([verdict, count]) => verdict !== "not chosen" && count > 0)
    .map(([verdict, count]) => `${count} ${verdict}`)
    .join(", ")
}

function problemsOf({ version, result }: Tried): string[] {
  if (result === undefined) return [`${version}: the run ended without a result.`]
  const outcomes = result.lessons.flatMap(({ id, tests }) => tests.map((test) => ({ lesson: id, ...test })))
  return [
    ...result.errors.map((error) => `${version}: ${error}`),
    ...outcomes
      .filter(({ verdict }) => verdict !== "passed" && verdict !== "not chosen")
      .map(({ lesson, title, verdict, reason }) => `${version}: ${lesson} ${title}: ${verdict}, ${reason ?? ""}`),
  ]
}

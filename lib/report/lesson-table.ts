import { paint } from "../base/colour.ts"
import { fit } from "./fit.ts"
import { standInNamesOf, summaryOf, type LessonResult, type RunResult } from "./result.ts"
import type { Verdict } from "./verdict.ts"

const COLOUR = {
  failed: "red",
  blocked: "yellow",
  "cannot check here": "yellow",
  "not started": "gray",
  passed: "green",
  "not chosen": "gray",
} as const satisfies Record<Verdict, string>

/** Lessons that share a row: consecutive lessons that the same lesson blocks. */
interface Row {
  readonly ids: string
  readonly title: string
  readonly verdict: Verdict
  /** Whether it was checked with components of ours. */
  readonly isWithOurs: boolean
  readonly seconds: string
  readonly summary: string
}

/**
 * A row for each lesson: number, title, verdict, duration, and one line of evidence, or what was counted if it did not
 * pass. Consecutive lessons that are blocked by the same lesson share a row.
 * @param screen where it is printed: its columns, and whether it shows colours
 * @returns the rows; each fits into the columns, unless the titles alone are wider
 */
export function lessonTable(
  { lessons }: RunResult,
  screen: { readonly width: number; readonly isTTY: boolean },
): string[] {
  const rows = rowsOf(lessons)
  const widest = (field: "ids" | "title" | "verdict" | "seconds") =>
    Math.max(0, ...rows.map((row) => row[field].length))
  const [ids, titles, verdicts, seconds] = [widest("ids"), widest("title"), widest("verdict"), widest("seconds")]
  return rows.map((row) => {
    const before = `${row.ids.padEnd(ids)}  ${row.title.padEnd(titles)}  `
    const after = `  ${row.seconds.padStart(seconds)}  `
    const shown = fit(row.summary, screen.width - before.length - verdicts - after.length)
    return `${before}${paint(row.isWithOurs && row.verdict === "passed" ? "yellow" : COLOUR[row.verdict], row.verdict.padEnd(verdicts), screen)}${after}${shown}`.trimEnd()
  })
}

function rowsOf(lessons: readonly LessonResult[]): Row[] {
  const rows: { first: LessonResult; last: LessonResult; summary: string }[] = []
  for (const lesson of lessons) {
    const summary = summaryOf(lesson)
    const before = rows.at(-1)
    if (lesson.verdict === "blocked" && before?.first.verdict === "blocked" && before.summary === summary)
      before.last = lesson
    else rows.push({ first: lesson, last: lesson, summary })
  }
  return rows.map(({ first, last, summary }) => ({
    ids: first === last ? first.id : `${first.id}–${last.id}`,
    title: first === last ? first.title : "",
    verdict: first.verdict,
    isWithOurs: standInNamesOf(first).length > 0,
    seconds: first.verdict === "blocked" ? "" : `${(first.milliseconds / 1000).toFixed(1)} s`,
    summary,
  }))
}

import { paint } from "../base/colour.ts"
import { fit } from "./fit.ts"
import { summaryOf, type RunResult } from "./result.ts"
import type { Verdict } from "./verdict.ts"

const COLOUR = {
  failed: "red",
  blocked: "yellow",
  "cannot check here": "yellow",
  passed: "green",
  "not chosen": "gray",
} as const satisfies Record<Verdict, string>

/**
 * A row for each lesson: number, title, verdict, duration and one line of evidence, or the reason why it did not pass.
 * @param screen where it is printed: its columns, and whether it shows colours
 * @returns the rows; each fits into the columns, unless the titles alone are wider
 */
export function lessonTable(
  { lessons }: RunResult,
  screen: { readonly width: number; readonly isTTY: boolean },
): string[] {
  const widest = (texts: readonly string[]) => Math.max(0, ...texts.map(({ length }) => length))
  const rows = lessons.map((lesson) => ({ lesson, seconds: `${(lesson.milliseconds / 1000).toFixed(1)} s` }))
  const titles = widest(lessons.map(({ title }) => title))
  const verdicts = widest(lessons.map(({ verdict }) => verdict))
  const seconds = widest(rows.map((row) => row.seconds))
  return rows.map(({ lesson, ...row }) => {
    const before = `${lesson.id}  ${lesson.title.padEnd(titles)}  `
    const after = `  ${row.seconds.padStart(seconds)}  `
    const shown = fit(summaryOf(lesson), screen.width - before.length - verdicts - after.length)
    return `${before}${paint(COLOUR[lesson.verdict], lesson.verdict.padEnd(verdicts), screen)}${after}${shown}`.trimEnd()
  })
}

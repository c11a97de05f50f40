import { stripVTControlCharacters } from "node:util"
import { reasonOf } from "../failure-text.ts"
import { pointsOf } from "../points.ts"
import type { Format, GradedRun } from "./format.ts"

/** A row for each outcome. */
export const csv: Format = {
  name: "csv",
  description: "a row for each outcome, for spreadsheets",
  render: (run) => csvOf([HEADER, ...rows(run)]),
}

const HEADER = [
  "student",
  "lesson",
  "outcome",
  "title",
  "verdict",
  "points",
  "of",
  "seconds",
  "finding",
  "reason",
  "evidence",
  "with ours",
] as const

function rows({ student, result }: GradedRun): Cell[][] {
  return result.lessons.flatMap(({ id: lesson, tests }) =>
    tests.map((test) => {
      const { reached, most } = pointsOf(test)
      return [
        student,
        lesson,
        test.id,
        test.title,
        test.verdict,
        reached,
        most,
        test.milliseconds / 1000,
        test.finding ?? "",
        test.verdict === "passed" ? "" : reasonOf(test),
        test.evidence ?? "",
        test.standIns.map(({ component }) => component).join(" "),
      ]
    }),
  )
}

export type Cell = string | number

/** Rows as CSV (RFC 4180). Text that a spreadsheet would take for a formula begins with an apostrophe. */
export function csvOf(lines: readonly (readonly Cell[])[]): string {
  return lines.map((cells) => `${cells.map(cellText).join(",")}\r\n`).join("")
}

function cellText(cell: Cell): string {
  if (typeof cell === "number") return String(cell)
  const text = stripVTControlCharacters(cell).replaceAll(/(?![\t\r\n])\p{Cc}/gu, "")
  // A learner's program chooses some of these texts: https://owasp.org/www-community/attacks/CSV_Injection
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe
}

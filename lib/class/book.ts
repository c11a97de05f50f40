import { csvOf, type Cell } from "../report/formats/csv.ts"
import type { BookEntry } from "../report/formats/grade-books.ts"
import { reasonOf } from "../report/failure-text.ts"
import { fit } from "../report/fit.ts"
import { isOwnFailure } from "../report/points.ts"
import { withOurs } from "../report/stand-ins.ts"
import type { ClassHead, Participant, Rules } from "./class-file.ts"
import { decimal } from "./decimal.ts"
import { explanationOf, markOf, timeText, type Lateness, type Mark, type NotChecked } from "./marks.ts"
import type { Row } from "./row.ts"

/** The version of the grade book as JSON. */
export const BOOK_SCHEMA = "byhand/class-book/v1"

/** A student in the grade book. */
export interface Line {
  readonly student: Participant
  readonly row: Row
  /** undefined if there is no grade. */
  readonly mark: Mark | undefined
  /** When it was handed in, in milliseconds since the epoch; undefined if it is not known. */
  readonly submitted: number | undefined
}

/** A row of the grade book. */
export function lineOf({ rules }: Pick<ClassHead, "rules">, student: Participant, row: Row): Line {
  const submitted = student.submitted ?? row.committed ?? undefined
  const mark = row.outcome.kind === "graded" ? markOf(row.outcome.result, rules, student, submitted) : undefined
  return { student, row, mark, submitted }
}

/** The number of a grade, such as "87.5 %"; a dash if there is none, which is not the same as 0. */
export function gradeText({ mark }: Line): string {
  return mark?.grade === undefined ? "–" : `${decimal(mark.grade)} %`
}

/** What a teacher should know of a student in one line: why there is no grade, or the first thing that did not pass. */
export function remarkOf({ row, mark, student, submitted }: Line): string {
  if (row.outcome.kind === "ungraded") return row.outcome.reason
  const { result } = row.outcome
  const ours = withOurs(result.standIns.map(({ component }) => component))
  const failed = result.lessons.flatMap(({ id, tests }) =>
    tests.filter(isOwnFailure).map((test) => `${id} ${reasonOf(test)}`),
  )
  return [
    ...(mark?.late === undefined ? [] : [lateText(mark.late)]),
    ...(student.due !== undefined && submitted === undefined ? ["time of submission not known"] : []),
    ...(ours === "" ? [] : [ours]),
    ...notCheckedText(mark?.notChecked ?? []),
    ...failed.slice(0, 1),
  ].join("; ")
}

/** "14 not checked: needs --allow restart (12), needs root (2)" */
function notCheckedText(all: readonly NotChecked[]): string[] {
  const count = outcomesIn(all)
  if (count === 0) return []
  const reasons = all.map(({ reason, outcomes }) => (all.length === 1 ? reason : `${reason} (${outcomes})`))
  return [`${count} not checked: ${reasons.join(", ")}`]
}

function outcomesIn(all: readonly NotChecked[]): number {
  return all.reduce((sum, { outcomes }) => sum + outcomes, 0)
}

function lateText({ days, percent }: Lateness): string {
  return `${days} ${days === 1 ? "day" : "days"} late: -${decimal(percent)} %`
}

/** The columns that a remark needs to stand in the row. Otherwise it has a line of its own. */
const ROOM = 40
/** The most columns for the name of a student. */
const NAME = 24

/** The grade book as lines of a table, and how its grades come about. @param width columns of the terminal */
export function bookLines({ title, rules }: ClassHead, lines: readonly Line[], width: number): string[] {
  return [
    ...(title === undefined ? [] : [title, ""]),
    ...tableOf(lines, rules.lessons, width),
    "",
    ...explanationOf(rules),
    "",
    summaryOf(lines),
  ]
}

/** How many students have a grade, and the average. */
export function summaryOf(lines: readonly Line[]): string {
  const graded = lines.flatMap(({ mark }) => mark?.grade ?? [])
  const mean = graded.reduce((sum, grade) => sum + grade, 0) / graded.length
  const average = graded.length === 0 ? "" : `, ${decimal(mean)} % on average`
  return `${graded.length} of ${lines.length} students have a grade${average}.`
}

function tableOf(lines: readonly Line[], lessons: readonly string[], width: number): string[] {
  const rows = lines.map((line) => ({ line, cells: [gradeText(line), ...pointCells(line)], remark: remarkOf(line) }))
  const header = ["grade", ...lessons]
  const names = Math.max("student".length, ...lines.map(({ student }) => Math.min(NAME, student.id.length)))
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map(({ cells }) => cells[column]?.length ?? 0)),
  )
  const row = (name: string, cells: readonly string[]) =>
    [fit(name, names).padEnd(names), ...cells.map((cell, column) => cell.padStart(widths[column] ?? 0))].join("  ")
  return [
    row("student", header),
    ...rows.flatMap(({ line, cells, remark }) => {
      const before = row(line.student.id, cells)
      if (remark === "") return [before]
      const room = width - before.length - 2
      return room >= Math.min(ROOM, remark.length)
        ? [`${before}  ${fit(remark, room)}`]
        : [before, `${" ".repeat(names + 2)}${fit(remark, width - names - 2)}`]
    }),
  ]
}

/** The points of each lesson; none for a student without a grade, whose reason stands there. */
export function pointCells({ mark }: Line): string[] {
  return mark?.lessons.map(({ reached, most }) => (most === 0 ? "–" : `${reached}/${most}`)) ?? []
}

/** The grade book as CSV: a row for each student. A cell of a student without a grade is empty, not 0. */
export function bookCsv({ rules }: ClassHead, lines: readonly Line[]): string {
  return csvOf([
    [
      "student",
      "grade",
      "before lateness",
      "days late",
      ...rules.lessons.flatMap((id) => [`${id} points`, `${id} of`]),
      "submitted",
      "commit",
      "graded",
      "remark",
      "not checked",
    ],
    ...lines.map((line): Cell[] => [
      line.student.id,
      rounded(line.mark?.grade) ?? "",
      rounded(line.mark?.reached) ?? "",
      line.mark?.late?.days ?? (line.mark === undefined ? "" : 0),
      ...(line.mark === undefined
        ? rules.lessons.flatMap(() => ["", ""])
        : line.mark.lessons.flatMap(({ reached, most }) => [reached, most])),
      line.submitted === undefined ? "" : timeText(line.submitted),
      line.row.commit ?? "",
      timeText(line.row.at),
      remarkOf(line),
      line.mark === undefined ? "" : outcomesIn(line.mark.notChecked),
    ]),
  ])
}

/**
 * The grade book as JSON, with all results, so that books can be merged. A field that is added keeps the version.
 * @param more further fields
 */
export function bookData(
  { title, rules }: ClassHead,
  lines: readonly Line[],
  more: Readonly<Record<string, object>>,
): object {
  return {
    schema: BOOK_SCHEMA,
    title: title ?? null,
    lessons: rules.lessons,
    rules: explanationOf(rules),
    grading: rulesData(rules),
    students: lines.map((line) => ({
      id: line.student.id,
      grade: rounded(line.mark?.grade) ?? null,
      beforeLateness: rounded(line.mark?.reached) ?? null,
      late: line.mark?.late ?? null,
      lessons: line.mark?.lessons ?? null,
      notChecked: line.mark?.notChecked ?? null,
      submitted: timeData(line.submitted),
      commit: line.row.commit,
      graded: new Date(line.row.at).toISOString(),
      remark: remarkOf(line),
      reason: line.row.outcome.kind === "ungraded" ? line.row.outcome.reason : null,
      due: timeData(line.student.due),
      handedIn: timeData(line.student.submitted),
      row: line.row,
    })),
    ...more,
  }
}

/** Rules as lib/class/merge.ts reads them. */
function rulesData({ lessons, isChosen, weights, credit, due, late }: Rules): object {
  return {
    lessons,
    isChosen,
    weights: weights === undefined ? null : Object.fromEntries(weights),
    credit,
    due: timeData(due),
    late: late ?? null,
  }
}

function timeData(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString()
}

/** The students with a grade, for grade books of learning platforms. */
export function bookEntries(lines: readonly Line[]): BookEntry[] {
  return lines.flatMap(({ student, row, mark }) =>
    row.outcome.kind === "ungraded" || mark?.grade === undefined
      ? []
      : [
          {
            student: student.id,
            result: row.outcome.result,
            hasEnded: true,
            startedAt: row.at,
            environment: process.env,
            grade: { reached: rounded(mark.grade) ?? 0, most: 100 },
            remark: [
              ...(mark.late === undefined ? [] : [lateText(mark.late)]),
              ...notCheckedText(mark.notChecked),
            ].join("; "),
          },
        ],
  )
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 100) / 100
}

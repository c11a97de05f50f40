import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { UsageError } from "../base/errors.ts"
import { writeWhole } from "../base/write-whole.ts"
import { boardData, boardLines, boardOf } from "../class/board.ts"
import { bookCsv, bookData, bookEntries, bookLines, type Line } from "../class/book.ts"
import type { ClassHead } from "../class/class-file.ts"
import { sightingsData, type Sighting } from "../class/identifiers.ts"
import { bookPage } from "../class/page.ts"
import { similarData, similarLines } from "../class/similar-report.ts"
import type { Similarities } from "../class/similar.ts"
import { canvasCsv, moodleCsv, type BookEntry } from "../report/formats/grade-books.ts"
import { emptyResultFile } from "../report/result-file.ts"
import { targetsOf, type Target } from "../report/targets.ts"
import { standardOutput } from "../report/terminal.ts"
import type { CommonOptions } from "./options.ts"

/** The options that say where a grade book is written. */
export interface OutputOptions extends CommonOptions {
  readonly csv?: string
  readonly html?: string
  /** Formats in which results are written, each NAME=FILE; {id} in FILE stands for the student. */
  readonly format?: readonly string[]
}

/** Where a grade book is written. */
export interface Outputs {
  readonly csv: string | undefined
  readonly html: string | undefined
  readonly targets: readonly Target[]
  /** Whether it is printed as JSON. */
  readonly isJson: boolean
}

/** What is written. */
export interface Book {
  readonly head: ClassHead
  readonly lines: readonly Line[]
  readonly similar: Similarities | undefined
  /** What identifies the hosts of this run, and of earlier ones. */
  readonly seen: readonly Sighting[]
}

/** Stands for the student in the name of a file. */
const ID = "{id}"
/** The formats that have a row for each student. */
const OF_CLASS: Readonly<Record<string, (entries: readonly BookEntry[]) => string>> = {
  moodle: moodleCsv,
  canvas: canvasCsv,
}
/** @throws UsageError for a format that does not exist, or that has no file for each student */
export function outputsOf({ csv, html, format, json }: OutputOptions): Outputs {
  const targets = targetsOf(format ?? [], "--format")
  for (const target of targets) checkTarget(target)
  return { csv, html, targets, isJson: json === true }
}

/** Empties the files before the run, so that no earlier book is taken for its result. @throws UsageError */
export function emptyOutputs({ csv, html }: Outputs): void {
  if (csv !== undefined) emptyResultFile(csv, `--csv ${csv}`)
  if (html !== undefined) emptyResultFile(html, `--html ${html}`)
}

/**
 * Writes and prints a grade book.
 * @returns the same as JSON
 */
export function writeOutputs({ csv, html, targets, isJson }: Outputs, { head, lines, similar, seen }: Book): object {
  const board = boardOf(lines)
  const book = bookData(head, lines, {
    board: boardData(board),
    seen: sightingsData(seen),
    ...(similar === undefined ? {} : { similar: similarData(similar) }),
  })
  if (csv !== undefined) writeWhole(csv, bookCsv(head, lines))
  if (html !== undefined) writeWhole(html, bookPage(head, lines, { board, similar }, Date.now()))
  for (const target of targets) writeTarget(target, lines)
  const screen = standardOutput()
  const text = [
    "",
    ...bookLines(head, lines, screen.width),
    ...boardLines(board, lines.length, screen),
    ...(similar === undefined ? [] : similarLines(similar, screen)),
  ]
  process.stdout.write(isJson ? `${JSON.stringify(book, undefined, 2)}\n` : text.map((line) => `${line}\n`).join(""))
  return book
}

/** The exit status for a grade book: 0 if each student has a grade. */
export function statusOf(lines: readonly Line[]): 0 | 1 {
  return lines.every(({ mark }) => mark?.grade !== undefined) ? 0 : 1
}

/** @throws UsageError if all students would be written to the same place */
function checkTarget({ format, file, given }: Target): void {
  const { name } = format
  if (file === undefined)
    throw new UsageError(`${given} names no file.`, `Write --format ${name}=FILE; standard output has the grade book.`)
  if (OF_CLASS[name] === undefined && !file.includes(ID))
    throw new UsageError(
      `${given} names one file for all students.`,
      `Let ${ID} stand for the student: --format ${name}=results/${ID}.${name}`,
    )
}

function writeTarget({ format, file = "" }: Target, lines: readonly Line[]): void {
  const entries = bookEntries(lines)
  const render = OF_CLASS[format.name]
  const documents =
    render !== undefined && !file.includes(ID)
      ? [{ path: file, text: render(entries) }]
      : entries.map((entry) => ({ path: file.replaceAll(ID, entry.student), text: format.render(entry) }))
  for (const { path, text } of documents) {
    mkdirSync(dirname(path), { recursive: true })
    writeWhole(path, text)
  }
}

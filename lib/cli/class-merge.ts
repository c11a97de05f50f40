import { mkdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { messageOf, UsageError } from "../base/errors.ts"
import { writeWhole } from "../base/write-whole.ts"
import { compareHosts, merged, sightingsIn, sightingsOfBook } from "../class/identifiers.ts"
import { mergeBooks } from "../class/merge.ts"
import { BOOK, BOOK_MODE } from "../class/store.ts"
import type { ClassOptions } from "./class.ts"
import { emptyOutputs, outputsOf, statusOf, writeOutputs } from "./class-output.ts"

/** The options that say how a class is graded, which has happened already. */
const OF_GRADING = ["inventory", "parallel", "limit", "resume", "shard", "standIn", "machine"] as const

/**
 * Makes one grade book from several, and prints it.
 * @param file must be undefined: the books list the students
 * @returns the exit status: 0 if each student has a grade, 1 if one has none
 * @throws UsageError
 */
export function mergeClass(file: string | undefined, files: readonly string[], options: ClassOptions): number {
  const extra = file ?? OF_GRADING.find((name) => options[name] !== undefined)
  if (extra !== undefined)
    throw new UsageError(
      `--merge grades no student, so ${file === undefined ? `--${extra === "standIn" ? "stand-in" : extra}` : extra} has no effect.`,
      "Write: npx byhand class --merge BOOK… and where the result is written.",
    )
  const outputs = outputsOf(options)
  const { head, lines, notes } = mergeBooks(files)
  const earlier = [...files, ...(options.earlier ?? [])].flatMap(sightingsOfBook)
  emptyOutputs(outputs)
  for (const note of notes) process.stderr.write(`${note}\n`)
  const now = sightingsIn(lines.map(({ row }) => row))
  if (options.similar === true)
    process.stderr.write(
      "Scripts are not in a book: --similar compares hosts here, and scripts where they are graded.\n",
    )
  const similar =
    options.similar === true
      ? { keys: [], pairs: [], compared: 0, others: [], given: 0, hosts: compareHosts(now, earlier) }
      : undefined
  const book = writeOutputs(outputs, { head, lines, similar, seen: merged([...now, ...earlier]) })
  if (options.out !== undefined) keep(resolve(options.out), book)
  return statusOf(lines)
}

/** @throws UsageError if the folder cannot be written */
function keep(folder: string, book: object): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeWhole(join(folder, BOOK), `${JSON.stringify(book, undefined, 2)}\n`, BOOK_MODE)
  } catch (error) {
    throw new UsageError(`${folder} cannot be written: ${messageOf(error)}.`, "Name another folder with --out.", {
      cause: error,
    })
  }
}

import { readFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { z } from "zod"
import { messageOf, UsageError } from "../base/errors.ts"
import { BOOK_SCHEMA, lineOf, type Line } from "./book.ts"
import type { ClassHead, Participant, Rules } from "./class-file.ts"
import { timeText } from "./marks.ts"
import { keptSchema, type Row } from "./row.ts"

const instant = z.iso
  .datetime()
  .transform((text) => Date.parse(text))
  .nullable()
  .transform((given) => given ?? undefined)

const rulesSchema = z.object({
  lessons: z.array(z.string()),
  isChosen: z.boolean(),
  weights: z
    .record(z.string(), z.number())
    .nullable()
    .transform((given) => (given === null ? undefined : new Map(Object.entries(given)))),
  credit: z.enum(["per outcome", "per lesson"]),
  due: instant,
  late: z
    .object({ perDay: z.number(), atMost: z.number() })
    .nullable()
    .transform((given) => given ?? undefined),
})

const bookSchema = z.object({
  schema: z.literal(BOOK_SCHEMA),
  title: z.string().nullable(),
  grading: rulesSchema,
  students: z.array(z.object({ id: z.string(), due: instant, handedIn: instant, row: keptSchema })),
})

/** A student of a book, and the book. */
interface Entry {
  readonly student: Participant
  readonly row: Row
  readonly file: string
}

/** Several grade books as one. */
export interface MergedBook {
  readonly head: ClassHead
  readonly lines: readonly Line[]
  /** Which of two results was taken, in sentences. */
  readonly notes: readonly string[]
}

/**
 * Makes one grade book from those of several runs. A student who is in two of them has the newer result.
 * @param files grade books as JSON
 * @throws UsageError if they were graded by different rules, or if a student has two results of the same time
 */
export function mergeBooks(files: readonly string[]): MergedBook {
  const books = files.map((file) => ({ file, ...readBook(file) }))
  const [first] = books
  if (first === undefined) throw new UsageError("--merge names no book.", "Name the book.json of each run.")
  const other = books.find(({ rules }) => !isDeepStrictEqual(rules, first.rules))
  if (other !== undefined)
    throw new UsageError(
      `${other.file} was graded by other rules than ${first.file} (${differenceOf(first.rules, other.rules)}).`,
      "Grade both again with the same class.yaml.",
    )
  const notes: string[] = []
  const kept = new Map<string, Entry>()
  for (const { file, entries } of books)
    for (const entry of entries) {
      const key = entry.student.id.normalize("NFC").toLowerCase()
      const before = kept.get(key)
      if (before === undefined) kept.set(key, { ...entry, file })
      else kept.set(key, chosen(before, { ...entry, file }, notes))
    }
  const head = { title: books.find(({ title }) => title !== undefined)?.title, rules: first.rules }
  return { head, lines: [...kept.values()].map(({ student, row }) => lineOf(head, student, row)), notes }
}

/** @throws UsageError if neither is newer */
function chosen(a: Entry, b: Entry, notes: string[]): Entry {
  const { id } = a.student
  if (b.student.id !== id)
    throw new UsageError(
      `${a.file} has ${id}, and ${b.file} has ${b.student.id}, which is the same name.`,
      "Give each student an id of their own.",
    )
  // A later run takes over a result of unchanged files, which can come from a later commit.
  if (isDeepStrictEqual(resultOf(a), resultOf(b))) return (b.row.committed ?? 0) > (a.row.committed ?? 0) ? b : a
  if (a.row.at === b.row.at)
    throw new UsageError(
      `${id} is in ${a.file} and in ${b.file} with different results, and neither is newer.`,
      "Remove the student from one of the books.",
    )
  const [newer, older] = a.row.at > b.row.at ? [a, b] : [b, a]
  notes.push(
    `${id} is in two books: ${newer.file} is newer (${timeText(newer.row.at)}), and ${older.file} does not count ` +
      `(${timeText(older.row.at)}).`,
  )
  return newer
}

/** What makes two entries the same. */
function resultOf({ student, row }: Entry): unknown {
  return [student, row.at, row.outcome]
}

/** The first rule in which two classes differ. */
function differenceOf(a: Rules, b: Rules): string {
  const names = ["lessons", "isChosen", "weights", "credit", "due", "late"] as const
  const name = names.find((one) => !isDeepStrictEqual(a[one], b[one])) ?? "lessons"
  return name === "isChosen" ? "lessons" : name
}

function readBook(file: string): {
  readonly title: string | undefined
  readonly rules: Rules
  readonly entries: readonly Omit<Entry, "file">[]
} {
  const wrong = (why: string, cause?: unknown) =>
    new UsageError(
      `${file} is no grade book with results: ${why}.`,
      "Name a book.json that this version of byhand class has written.",
      { cause },
    )
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, "utf8"))
  } catch (error) {
    throw wrong(messageOf(error), error)
  }
  const read = bookSchema.safeParse(value)
  const issue = read.error?.issues[0]
  if (!read.success) throw wrong(`${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim())
  const { title, grading, students } = read.data
  return {
    title: title ?? undefined,
    rules: grading,
    entries: students.map(({ id, due, handedIn, row }) => ({ student: { id, due, submitted: handedIn }, row })),
  }
}

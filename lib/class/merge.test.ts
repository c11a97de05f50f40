import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { shard } from "../base/shard.ts"
import { moodleCsv } from "../report/formats/grade-books.ts"
import { lessonResultOf, runResultOf } from "../report/result.ts"
import { outcomeWith } from "../proof/testing/results.ts"
import { boardOf } from "./board.ts"
import { bookCsv, bookData, bookEntries, lineOf, type Line } from "./book.ts"
import { partOf, type Class, type Rules, type Student } from "./class-file.ts"
import { mergeBooks } from "./merge.ts"
import { bookPage } from "./page.ts"
import type { Row } from "./row.ts"

let here: string
beforeEach(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-merge-"))
})
afterEach(() => rmSync(here, { recursive: true }))

const DUE = Date.UTC(2026, 10, 20)
const IDS = ["alice", "bob", "carol", "dave", "erin"]
const whole: Class = {
  title: "By hand",
  isIndividual: false,
  rules: {
    lessons: ["01", "10"],
    isChosen: true,
    weights: new Map([
      ["01", 25],
      ["10", 75],
    ]),
    credit: "per lesson",
    due: DUE,
    late: { perDay: 10, atMost: 50 },
  },
  students: IDS.map((id): Student => ({
    id,
    source: { kind: "folder", path: "/x" },
    submitted: id === "bob" ? DUE + 1 : undefined,
    due: DUE,
  })),
}

const rowOf = (id: string, at = DUE): Row => ({
  schema: "byhand/class-subject/v1",
  id,
  run: "1",
  settings: "",
  source: "",
  commit: id === "alice" ? "c0ffee" : null,
  committed: id === "alice" ? DUE + 90_000_000 : null,
  at,
  stuck: id === "dave" ? { lesson: "10", cause: "x", since: 5 } : null,
  outcome:
    id === "carol"
      ? { kind: "ungraded", reason: "no answer", after: 60, isOurs: false }
      : {
          kind: "graded",
          result: runResultOf(
            { kubernetes: "1.37.2", subject: "/x", milliseconds: 1 },
            [
              lessonResultOf({ id: "01", title: "etcd" }, [outcomeWith({})]),
              lessonResultOf({ id: "10", title: "b" }, [
                outcomeWith(id === "dave" ? { verdict: "failed", reason: "no route", finding: "x" } : {}),
              ]),
            ],
            [],
          ),
        },
})

const linesOf = ({ students, rules }: Class, at = DUE): Line[] =>
  students.map((student) => lineOf({ rules }, student, rowOf(student.id, at)))

/** Writes a book. @returns its path */
function write(name: string, graded: Class, lines: readonly Line[] = linesOf(graded)): string {
  const file = join(here, name)
  writeFileSync(file, JSON.stringify(bookData(graded, lines, {})))
  return file
}

function messageFor(...files: string[]): string {
  try {
    mergeBooks(files)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error instanceof UsageError ? error.message.replaceAll(`${here}/`, "") : ""
  }
  return "no error"
}

test("the parts of a class are the class, in its order, also if there are more parts than students", () => {
  for (const of of [1, 2, 3, 5, 8]) {
    const parts = Array.from({ length: of }, (_, at) => partOf(whole, [at + 1, of]).students.map(({ id }) => id))
    expect(parts.flat()).toEqual(IDS)
    const sizes = parts.map(({ length }) => length)
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
  }
  for (const given of ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
    expect(() => shard(given)).toThrow(`--shard ${given} is not a part such as 2/6.`)
})

test("the books of all parts make the book of the class, in each format", () => {
  const files = [1, 2, 3].map((at) => write(`${at}.json`, partOf(whole, [at, 3])))
  const { head, lines, notes } = mergeBooks(files)
  expect(notes).toEqual([])
  const expected = linesOf(whole)
  expect(bookData(head, lines, {})).toEqual(bookData(whole, expected, {}))
  expect(bookCsv(head, lines)).toBe(bookCsv(whole, expected))
  expect(moodleCsv(bookEntries(lines))).toBe(moodleCsv(bookEntries(expected)))
  const page = (of: readonly Line[]) => bookPage(whole, of, { board: boardOf(of), similar: undefined }, 0)
  expect(page(lines)).toBe(page(expected))
  expect(page(lines)).toContain("1970-01-01 00:00")
})

describe("a student in two books", () => {
  const part = (...ids: string[]): Class => ({
    ...whole,
    students: whole.students.filter(({ id }) => ids.includes(id)),
  })

  test("the same result counts once", () => {
    // A later run has kept it.
    const later = linesOf(part("bob", "carol")).map((line) => ({ ...line, row: { ...line.row, run: "2" } }))
    const files = [write("a.json", part("alice", "bob")), write("b.json", part("bob", "carol"), later)]
    const { lines, notes } = mergeBooks(files)
    expect([lines.map(({ student }) => student.id), notes]).toEqual([["alice", "bob", "carol"], []])
  })

  test.each([true, false])("the newer one counts, in any order, and this is said: %s", (isFirst) => {
    const newer = write("new.json", part("bob"), linesOf(part("bob"), DUE + 3_600_000))
    const files = [write("old.json", part("alice", "bob")), newer]
    const { lines, notes } = mergeBooks(isFirst ? files.toReversed() : files)
    expect(lines.find(({ student }) => student.id === "bob")?.row.at).toBe(DUE + 3_600_000)
    expect(notes.map((note) => note.replaceAll(`${here}/`, ""))).toEqual([
      "bob is in two books: new.json is newer (2026-11-20 01:00 UTC), and old.json does not count (2026-11-20 00:00 UTC).",
    ])
  })

  test("neither is newer", () => {
    const { outcome } = rowOf("carol")
    const other = linesOf(part("bob")).map((line) => ({ ...line, row: { ...line.row, outcome } }))
    expect(messageFor(write("a.json", part("alice", "bob")), write("b.json", part("bob"), other))).toBe(
      "bob is in a.json and in b.json with different results, and neither is newer. Remove the student from one of the books.",
    )
  })

  test("two ids that are the same name", () => {
    const upper = part("bob").students.map((student) => ({ ...student, id: "Bob" }))
    const other = { ...whole, students: upper }
    expect(messageFor(write("a.json", part("bob")), write("b.json", other))).toContain(
      "a.json has bob, and b.json has Bob, which is the same name. ",
    )
  })
})

test("books with other rules, and what is no book, are refused", () => {
  const first = write("a.json", partOf(whole, [1, 2]))
  const changes: Partial<Rules>[] = [{ weights: undefined }, { credit: "per outcome" }, { due: undefined }]
  for (const change of changes) {
    const other = write("b.json", { ...partOf(whole, [2, 2]), rules: { ...whole.rules, ...change } })
    expect(messageFor(first, other)).toBe(
      `b.json was graded by other rules than a.json (${Object.keys(change)[0] ?? ""}). Grade both again with the same class.yaml.`,
    )
  }
  writeFileSync(join(here, "c.json"), "{")
  expect(messageFor(first, join(here, "c.json"))).toMatch(/^c\.json is no grade book with results: .*JSON/)
  const { grading: _, ...old } = bookData(whole, [], {}) as Record<string, unknown> // An older version has no rules.
  writeFileSync(join(here, "d.json"), JSON.stringify(old))
  expect(messageFor(join(here, "d.json"))).toMatch(/^d\.json is no grade book with results: grading /)
  expect(messageFor(join(here, "none.json"))).toMatch(/^none\.json is no grade book with results: ENOENT/)
})

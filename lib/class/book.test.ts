import { expect, test } from "vitest"
import { parse as parseCsv } from "csv-parse/sync"
import { moodleCsv } from "../report/formats/grade-books.ts"
import { lessonResultOf, runResultOf, type OutcomeResult } from "../report/result.ts"
import { outcomeWith } from "../proof/testing/results.ts"
import { bookCsv, bookData, bookEntries, bookLines, lineOf, type Line } from "./book.ts"
import type { Class, Student } from "./class-file.ts"
import { classScreen } from "./class-screen.ts"
import type { Outcome, Row } from "./row.ts"

const DUE = Date.UTC(2026, 10, 20)
const graded: Class = {
  title: "By hand",
  isIndividual: false,
  rules: {
    lessons: ["01", "02"],
    isChosen: true,
    weights: new Map([
      ["01", 25],
      ["02", 75],
    ]),
    credit: "per outcome",
    due: DUE,
    late: { perDay: 10, atMost: 50 },
  },
  students: ["alice", "bob", "carol with a name that is long"].map((id): Student => ({
    id,
    source: { kind: "folder", path: "/x" },
    submitted: id === "bob" ? DUE + 1 : DUE,
    due: DUE,
  })),
}
const failed = outcomeWith({ verdict: "failed", reason: "etcd does not\nlisten" })
const result = (...second: OutcomeResult[]): Outcome => ({
  kind: "graded",
  result: runResultOf(
    { kubernetes: "1.37.2", subject: "/x", milliseconds: 1 },
    [lessonResultOf({ id: "01", title: "etcd" }, [outcomeWith({})]), lessonResultOf({ id: "02", title: "b" }, second)],
    [],
  ),
})
const rowOf = (id: string, outcome: Outcome): Row => ({
  schema: "byhand/class-subject/v1",
  id,
  run: "1",
  settings: "",
  source: "",
  commit: null,
  committed: null,
  at: DUE,
  outcome,
})
const outcomes: Outcome[] = [
  result(outcomeWith({})),
  result(outcomeWith({}), failed, failed),
  { kind: "ungraded", reason: "no answer after 60 s while looking at etcd", after: 60, isOurs: false },
]
const lines: Line[] = graded.students.map((student, at) =>
  lineOf(graded, student, rowOf(student.id, outcomes[at] ?? result())),
)

test("the table has a row for each student, a reason where there is no grade, and the rules", () => {
  const text = bookLines(graded, lines, 100)
  expect(text.slice(0, 6)).toEqual([
    "By hand",
    "",
    "student                   grade   01   02",
    "alice                     100 %  1/1  1/1",
    "bob                        45 %  1/1  1/3  1 day late: -10 %; 02 etcd does not listen",
    "carol with a name that …      –  no answer after 60 s while looking at etcd",
  ])
  expect(text.join("\n")).toContain("Weights: 01 25 %, 02 75 %.")
  expect(text.at(-1)).toBe("2 of 3 students have a grade, 72.5 % on average.")
})

test("a row says how many outcomes were not checked, and for Moodle too; they take nothing from the grade", () => {
  const not = outcomeWith({ verdict: "cannot check here", reason: "cannot check here: needs --allow restart" })
  const [student] = graded.students
  if (student === undefined) throw new Error("there is no student")
  const line = lineOf(graded, student, rowOf("alice", result(outcomeWith({}), not, not)))
  expect(bookLines(graded, [line], 100)).toContain("alice    100 %  1/1  1/1  2 not checked: needs --allow restart")
  expect(bookCsv(graded, [line])).toMatch(/^student,.*,remark,not checked\r\nalice,.*restart,2\r\n/)
  expect(bookData(graded, [line], {})).toMatchObject({
    students: [{ grade: 100, notChecked: [{ reason: "needs --allow restart", outcomes: 2 }] }],
  })
  expect(moodleCsv(bookEntries([line]))).toContain("2 not checked: needs --allow restart")
})

test("a remark that does not fit has a line of its own", () => {
  expect(bookLines(graded, lines, 60).slice(4, 6)).toEqual([
    "bob                        45 %  1/1  1/3",
    "                          1 day late: -10 %; 02 etcd does n…",
  ])
})

test("CSV and JSON have no grade, not 0, where there is none", () => {
  const [, bob, carol] = parseCsv(bookCsv(graded, lines), { columns: true }) as Record<string, string>[] // As `columns` says.
  expect(bob).toMatchObject({ grade: "45", "before lateness": "50", "days late": "1", "02 points": "1", "02 of": "3" })
  expect(carol).toMatchObject({ grade: "", "01 points": "", remark: "no answer after 60 s while looking at etcd" })
  expect(bookData(graded, lines, { board: { stuck: [] } })).toMatchObject({
    board: { stuck: [] },
    schema: "byhand/class-book/v1",
    students: [{ grade: 100 }, { grade: 45, late: { days: 1 } }, { grade: null, lessons: null }],
  })
})

test("Moodle gets the students who have a grade, and no others", () => {
  const rows = parseCsv(moodleCsv(bookEntries(lines)))
  expect(rows.map(([name, grade]) => [name, grade])).toEqual([
    ["Username", "byhand (Real)"],
    ["alice", "100"],
    ["bob", "45"],
  ])
  expect(rows[2]?.[2]).toBe(
    "45 of 100 points\n1 day late: -10 %\n02 etcd starts: etcd does not listen\n02 etcd starts: etcd does not listen",
  )
})

test("a terminal shows a row for each student; other outputs get a line when one has finished", () => {
  for (const isLive of [true, false]) {
    let text = ""
    using screen = classScreen(
      graded,
      { write: (part) => void (text += part), width: 80, isTTY: false },
      isLive,
      () => 0,
    )
    screen.tell({ type: "subject started", id: "bob" })
    screen.tell({
      type: "subject moved",
      id: "bob",
      position: { topic: "etcd", outcome: "01 put says OK", passed: 2, failed: 1 },
    })
    for (const { student, row } of lines)
      screen.tell({ type: "subject ended", student, row, isKept: student.id === "alice" })
    const last = text.split("\u001b[J").at(-1) ?? ""
    expect(text.includes("2 passed, 1 failed; 01 put says OK\n")).toBe(isLive)
    expect(text.includes("  0 of 3 finished, 2 waiting\n")).toBe(isLive)
    expect(last).toContain("? carol with a name that …       –  no answer after 60 s while looking at etcd\n")
    expect(text).toContain("✓ alice                      100 %  unchanged\n")
    expect(
      text
        .replaceAll("\u001b", "\n")
        .split("\n")
        .every((line) => line.length <= 80),
    ).toBe(true)
  }
})

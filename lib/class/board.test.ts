import { describe, expect, test } from "vitest"
import { validateXML } from "xmllint-wasm"
import { outcomeWith } from "../proof/testing/results.ts"
import type { Card } from "../report/card.ts"
import { lessonResultOf, runResultOf, type OutcomeResult } from "../report/result.ts"
import { boardData, boardLines, boardOf } from "./board.ts"
import { lineOf, type Line } from "./book.ts"
import type { Class } from "./class-file.ts"
import { html } from "./html.ts"
import { bookPage } from "./page.ts"
import type { Outcome } from "./row.ts"

const DAY = Date.UTC(2026, 10, 24, 10, 2)
const FLAG = "unknown-flag"
const cardWith = (id: string, cause: string): Card => ({
  failure: { kind: "mismatch", outcome: "x", expected: "a", actual: "b" },
  observed: "b",
  finding: { id, component: "etcd", cause, remedy: "", evidence: "", look: "" },
  unwell: [],
})
const failure = (finding: string, cause: string, id = "01-a"): OutcomeResult =>
  outcomeWith({ id, verdict: "failed", finding, card: cardWith(finding, cause) })
const unexplained = (reason: string): OutcomeResult =>
  outcomeWith({ id: "02-b", title: "it answers", verdict: "failed", reason })
const passed = outcomeWith({})

const classOf = (title?: string): Class => ({
  title,
  isIndividual: false,
  rules: {
    lessons: ["01", "02"],
    isChosen: true,
    weights: undefined,
    credit: "per outcome",
    due: undefined,
    late: undefined,
  },
  students: [],
})

function lineFor(id: string, first: OutcomeResult[], second: OutcomeResult[], minutes = 0): Line {
  const result = runResultOf(
    { kubernetes: "1.37.2", subject: "/x", milliseconds: 1 },
    [lessonResultOf({ id: "01", title: "etcd" }, first), lessonResultOf({ id: "02", title: "b" }, second)],
    [],
  )
  return withOutcome(id, { kind: "graded", result }, minutes)
}

function withOutcome(id: string, outcome: Outcome, minutes = 0): Line {
  const at = DAY + minutes * 60_000
  const student = { id, source: { kind: "folder", path: "/x" }, submitted: undefined, due: undefined } as const
  const base = { schema: "byhand/class-subject/v1", id, run: "1", settings: "", source: "" } as const
  return lineOf(classOf(), student, { ...base, commit: null, committed: null, at, outcome })
}

const DIRR = "etcd does not know the flag --data-dirr"
const ELSEWHERE =
  "kube-apiserver looks for etcd on 127.0.0.1:2399, where no process listens; etcd listens on 127.0.0.1:2379"
const lines = [
  lineFor("alice", [passed], [passed]),
  lineFor("bob", [failure(FLAG, DIRR)], [unexplained("no answer")], 60),
  lineFor("carol", [failure(FLAG, DIRR), failure(FLAG, DIRR, "01-b")], [], 30),
  lineFor("dave", [passed], [failure(FLAG, "kube-apiserver does not know the flag --etcd-server")]),
  lineFor("erin", [passed], [failure("etcd-elsewhere", ELSEWHERE)]),
  lineFor("frank", [passed], [unexplained("no \u001b[31manswer\u202e\u0007")]),
  withOutcome("grace", { kind: "ungraded", reason: "no answer after 60 s", after: 60, isOurs: false }),
  // What this host cannot check, or what another failure blocks, is no mistake.
  lineFor(
    "hans",
    [passed],
    [
      outcomeWith({ verdict: "cannot check here", counts: true, reason: "needs root" }),
      outcomeWith({ verdict: "blocked" }),
    ],
  ),
]
const board = boardOf(lines)

test("each student is listed once, at the first mistake, below what the cause is called and in its own words", () => {
  expect(boardLines(board, lines.length, { width: 100, isTTY: false })).toEqual([
    "",
    "Stuck, by cause: 5 of 8 students; times in UTC",
    "unknown-flag: 3 students",
    "  01  etcd does not know the flag --data-dirr",
    "      carol since 2026-11-24 10:32, bob since 2026-11-24 11:02",
    "  02  kube-apiserver does not know the flag --etcd-server",
    "      dave since 2026-11-24 10:02",
    "etcd-elsewhere: 1 student",
    "  02  kube-apiserver looks for etcd on 127.0.0.1:2399, where no process listens; etcd listens on",
    "      127.0.0.1:2379",
    "      erin since 2026-11-24 10:02",
    "no known cause: 1 student",
    "  02  it answers: no answer",
    "      frank since 2026-11-24 10:02",
    "",
    "Most frequent mistakes, with the number of students who make them",
    "  3  unknown-flag    for example: etcd does not know the flag --data-dirr",
    "  2  no known cause  it answers: no answer",
    "  1  etcd-elsewhere  kube-apiserver looks for etcd on 127.0.0.1:2399, where no process listens; etc…",
  ])
})

test("lines fit 80 columns, a name stays with its time, and only a terminal gets colours", () => {
  const many = Array.from({ length: 50 }, (_, at) => lineFor(`student ${at}`, [failure(FLAG, DIRR)], []))
  const text = boardLines(boardOf([...lines, ...many]), 58, { width: 80, isTTY: false })
  expect(text.filter((line) => line.length > 80)).toEqual([])
  expect(text.filter((line) => /since$|, student$/.test(line))).toEqual([])
  expect(text.join("\n").match(/student \d+ since 2026-11-24 10:02/g)).toHaveLength(50)
  expect(text.join("")).not.toContain("\u001b")
  expect(boardLines(board, 8, { width: 80, isTTY: true }).join("")).toContain("\u001b[")
})

test("the board has no lines if no student is stuck", () => {
  for (const none of [[], lines.filter(({ student: { id } }) => ["alice", "grace", "hans"].includes(id))])
    expect(boardLines(boardOf(none), 3, { width: 100, isTTY: false })).toEqual([])
})

test("ten mistakes at most, the most frequent first", () => {
  const many = Array.from({ length: 12 }, (_, at) =>
    lineFor(
      `s${at}`,
      Array.from({ length: at + 1 }, (__, other) => failure(`finding-${other}`, "x")),
      [],
    ),
  )
  const data = boardOf(many).mistakes
  expect(data.map(({ finding, students }) => [finding, students])).toEqual(
    Array.from({ length: 10 }, (_, at) => [`finding-${at}`, 12 - at]),
  )
})

test("JSON has the same, with times as in the rest of the book", () => {
  const data = JSON.parse(JSON.stringify(boardData(board)))
  expect(data.stuck[0]).toEqual({
    finding: FLAG,
    lesson: "01",
    cause: DIRR,
    students: [
      { id: "carol", since: "2026-11-24T10:32:00.000Z" },
      { id: "bob", since: "2026-11-24T11:02:00.000Z" },
    ],
  })
  expect(data.mistakes.slice(0, 2)).toEqual([
    { finding: FLAG, students: 3, cause: DIRR, otherWords: 1 },
    { finding: null, students: 2, cause: "it answers: no answer", otherWords: 0 },
  ])
})

describe("the page", () => {
  const AWKWARD = `</style><script>alert("1")</script> & 'x' ]]> <!-- \u0000\ud800 &amp;`
  const pageOf = (all: readonly Line[], title: string) =>
    bookPage(classOf(title), all, { board: boardOf(all), similar: undefined }, DAY)
  /** What an XML parser reads, without comments and in one form. It fails if the page is not well-formed. */
  const parsed = async (page: string) => {
    const { valid, errors, normalized } = await validateXML({
      xml: [{ fileName: "page.html", contents: page }],
      normalization: "c14n",
    } as Parameters<typeof validateXML>[0])
    return { valid, errors, normalized }
  }

  test("is well-formed, contains no script, and loads nothing, whatever students write", async () => {
    const awkward = [
      ...lines,
      lineFor("ivan", [failure(AWKWARD, AWKWARD)], [unexplained(AWKWARD)]),
      withOutcome("judy", { kind: "ungraded", reason: AWKWARD, after: null, isOurs: false }),
    ]
    const page = pageOf(awkward, AWKWARD)
    const { valid, errors, normalized } = await parsed(page)
    expect([valid, errors]).toEqual([true, []])
    for (const unwanted of ["<script", "<img", "<link", "src=", "href=", "onerror", "http:", "https:"])
      expect(page).not.toContain(unwanted)
    expect(page.match(/<!--/)).toBeNull()
    expect(normalized).toContain('&lt;script&gt;alert("1")')
    expect(page).toMatch(/^<!DOCTYPE html>\n<html lang="en">/)
  })

  test("has the grades, who is stuck, and the mistakes", async () => {
    const page = pageOf(lines, "By hand")
    const texts = page
      .replaceAll(/<style>.*<\/style>/gs, "")
      .replaceAll(/<[^>]*>/g, " ")
      .replaceAll(/\s+/g, " ")
    expect(texts).toContain("Stuck, by cause 5 of 8 students.")
    expect(texts).toContain(`01 ${DIRR} carol since 2026-11-24 10:32 bob since`)
    expect(texts).toContain(`3 unknown-flag for example: ${DIRR}`)
    expect(texts).toContain("alice 100 % 1/1 1/1")
    expect(texts).toContain("grace – no answer after 60 s")
    expect(pageOf(lines.slice(0, 1), "x")).not.toContain("Stuck")
  })

  test("a document that is not well-formed is seen", async () => {
    expect((await parsed(pageOf(lines, "x").replace("</h1>", ""))).valid).toBe(false)
    expect(html`<b title="${'"<'}">${"<i>"}${html`<i></i>`}</b>`.text).toBe(
      '<b title="&#34;&#60;">&#60;i&#62;<i></i></b>',
    )
  })
})

import { expect, test } from "vitest"
import { lessonResultOf, type LessonResult } from "../report/result.ts"
import type { Verdict } from "../report/verdict.ts"
import { outcomeWith } from "../proof/testing/results.ts"
import type { Rules } from "./class-file.ts"
import { explanationOf, latenessOf, markOf } from "./marks.ts"

const RULES: Rules = {
  lessons: ["01", "02"],
  isChosen: true,
  weights: undefined,
  credit: "per outcome",
  due: undefined,
  late: undefined,
}
const WEIGHTS = new Map([
  ["01", 20],
  ["02", 80],
])

const lesson = (id: string, verdicts: readonly Verdict[]): LessonResult =>
  lessonResultOf(
    { id, title: id },
    verdicts.map((verdict) => outcomeWith({ verdict })),
  )
const gradeOf = (first: readonly Verdict[], second: readonly Verdict[], rules: Partial<Rules> = {}) =>
  markOf(
    { lessons: [lesson("01", first), lesson("02", second)] },
    { ...RULES, ...rules },
    { due: undefined },
    undefined,
  ).grade

test("without weights each outcome counts the same", () => {
  expect(gradeOf(["passed"], ["passed", "failed", "blocked"])).toBe(50)
  expect(gradeOf(["passed"], ["passed", "passed", "passed"])).toBe(100)
})

test("a lesson gives the part of its weight that is its part of passed outcomes", () => {
  expect(gradeOf(["passed"], ["passed", "failed"], { weights: WEIGHTS })).toBe(60)
  expect(gradeOf(["failed"], ["passed", "passed"], { weights: WEIGHTS })).toBe(80)
})

test("all or nothing", () => {
  expect(gradeOf(["passed"], ["passed", "failed"], { weights: WEIGHTS, credit: "per lesson" })).toBe(20)
  expect(gradeOf(["passed"], ["passed", "failed", "passed"], { credit: "per lesson" })).toBe(25)
})

test("a lesson that was left out is not reached", () => {
  expect(gradeOf(["passed"], ["not started"], { weights: WEIGHTS })).toBe(20)
  expect(gradeOf(["passed"], ["not started", "not started", "not started"])).toBe(25)
})

test("what cannot be checked here does not count", () => {
  expect(gradeOf(["passed"], ["cannot check here", "failed"])).toBe(50)
  expect(gradeOf(["failed", "passed"], ["cannot check here"], { weights: WEIGHTS })).toBe(50)
  expect(gradeOf(["cannot check here"], ["cannot check here"])).toBeUndefined()
})

test("the mark says how many outcomes were not checked, and why", () => {
  const not = (reason: string) => outcomeWith({ verdict: "cannot check here", reason: `cannot check here: ${reason}` })
  const first = lessonResultOf({ id: "01", title: "01" }, [outcomeWith({}), not("needs root")])
  const second = lessonResultOf({ id: "02", title: "02" }, [not("needs --allow restart"), not("needs --allow restart")])
  const mark = markOf({ lessons: [first, second] }, RULES, { due: undefined }, undefined)
  expect(mark).toMatchObject({
    grade: 100,
    lessons: [
      { reached: 1, most: 1 },
      { reached: 0, most: 0 },
    ],
    notChecked: [
      { reason: "needs --allow restart", outcomes: 2 },
      { reason: "needs root", outcomes: 1 },
    ],
  })
})

const DUE = Date.UTC(2026, 10, 20, 22, 59)
const RULE = { perDay: 10, atMost: 25 }

test.each([
  [0, undefined],
  [1, { days: 1, percent: 10 }],
  [86_400_000, { days: 1, percent: 10 }],
  [86_400_001, { days: 2, percent: 20 }],
  [9 * 86_400_000, { days: 9, percent: 25 }],
])("%s ms after the time it was due", (after, expected) => {
  expect(latenessOf(RULE, DUE, DUE + after)).toEqual(expected)
})

test("without a rule, a time that it was due, or a time of submission, nothing is taken", () => {
  expect(latenessOf(undefined, DUE, DUE + 1)).toBeUndefined()
  expect(latenessOf(RULE, undefined, DUE)).toBeUndefined()
  expect(latenessOf(RULE, DUE, undefined)).toBeUndefined()
})

test("lateness takes a part of what was reached", () => {
  const result = { lessons: [lesson("01", ["passed"]), lesson("02", ["failed"])] }
  expect(markOf(result, { ...RULES, late: RULE }, { due: DUE }, DUE + 1)).toMatchObject({
    reached: 50,
    grade: 45,
    late: { days: 1, percent: 10 },
  })
})

test("the rules are explained with their numbers", () => {
  expect(explanationOf({ ...RULES, weights: WEIGHTS, due: DUE, late: RULE }).join("\n")).toMatch(
    /Weights: 01 20 %, 02 80 %\.\n[^]+\nDue: 2026-11-20 22:59 UTC\.\nLate: each day .* 10 % .* at most 25 %\.$/,
  )
  expect(explanationOf(RULES)[0]).toBe("Each outcome counts the same.")
})

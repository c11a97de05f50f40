import { expect, test } from "vitest"
import { allTests } from "./all-tests.ts"
import { isLeftOut } from "./left-out.ts"

test("the tests of a lesson before the first that a sabotage can affect are left out, and no others", () => {
  const left = allTests().filter((one) => isLeftOut({ since: "02 a namespace" }, one))
  const inLesson = allTests().filter((one) => one.startsWith("02 "))
  expect(left).toEqual(inLesson.slice(0, inLesson.indexOf(left.at(-1) ?? "") + 1))
  expect(inLesson[left.length]).toMatch(/^02 a namespace/)
})

test("the tests of a lesson after the last that shows a sabotage are left out", () => {
  const left = allTests().filter((one) => isLeftOut({ thru: "02 a namespace" }, one))
  expect(left.at(0)).toMatch(/^02 without a token/)
  expect(left.every((one) => one.startsWith("02 "))).toBe(true)
})

test("without a first test, no test is left out", () => {
  expect(allTests().filter((one) => isLeftOut({}, one))).toEqual([])
})

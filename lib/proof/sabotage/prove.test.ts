import { expect, test } from "vitest"
import { sabotages } from "./all.ts"
import { allTests } from "./all-tests.ts"
import { isForDoctor, telling } from "./prove.ts"

const lessons = [...new Set(allTests().map((one) => one.slice(0, 2)))]

test("each sabotage runs the lessons in which tests must fail", () => {
  const without = sabotages.filter((sabotage) => {
    const run = telling(sabotage, lessons, false)
    return !isForDoctor(sabotage) && !sabotage.fails.every((name) => run.includes(name.slice(0, 2)))
  })
  expect(without.map(({ id }) => id)).toEqual([])
})

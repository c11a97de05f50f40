import { expect, test } from "vitest"
import { didYouMean, near, nearest } from "./nearest.ts"

const COMMANDS = ["up", "down", "grade", "watch", "status"]

test("the candidate with the fewest edits wins; among equals, the first one", () => {
  expect(nearest("BYHAND_PATIENC", ["BYHAND_CACHE", "BYHAND_PATIENCE", "BYHAND_RUNS"])).toBe("BYHAND_PATIENCE")
  expect(nearest("xx", ["ab", "cd"])).toBe("ab")
})

test.each([
  ["gradee", "grade"],
  ["upp", "up"],
  ["pu", "up"],
  ["sattus", "status"],
  ["wach", "watch"],
  ["pu", "up"],
])("%s is near %s", (given, meant) => {
  expect(near(given, COMMANDS)).toBe(meant)
  expect(didYouMean(given, COMMANDS)).toBe(`Did you mean ${meant}? `)
})

test.each(["frobnicate", "", "x", "graph-of-all"])("nothing is suggested for %j", (given) => {
  expect(near(given, COMMANDS)).toBeUndefined()
  expect(didYouMean(given, COMMANDS)).toBe("")
})

test("without candidates, nothing is suggested", () => expect(near("up", [])).toBeUndefined())

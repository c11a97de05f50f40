import { expect, test } from "vitest"
import { countsOf, isFailure, worstOf } from "./verdict.ts"

test("a lesson has the verdict of its worst outcome", () => {
  expect(worstOf(["passed", "failed", "blocked"])).toBe("failed")
  expect(worstOf(["cannot check here", "blocked", "passed"])).toBe("blocked")
  expect(worstOf(["passed", "cannot check here"])).toBe("cannot check here")
  expect(worstOf(["not chosen", "passed"])).toBe("passed")
  expect(worstOf([])).toBe("not chosen")
})

test("every outcome that was not checked counts as skipped", () => {
  expect(countsOf(["passed", "passed", "failed", "blocked", "cannot check here", "not started", "not chosen"])).toEqual(
    {
      passed: 2,
      failed: 1,
      skipped: 4,
    },
  )
})

test("a blocked outcome makes the run fail; one that cannot be checked here does so only if the run is strict and the outcome is not excepted", () => {
  const outcome = { lesson: "05", title: "a machine registers itself as a Node" }
  const lax = { strict: false, except: [] }
  const strict = { strict: true, except: [] }
  expect(isFailure("failed", outcome, lax)).toBe(true)
  expect(isFailure("blocked", outcome, lax)).toBe(true)
  expect(isFailure("passed", outcome, strict)).toBe(false)
  expect(isFailure("not chosen", outcome, strict)).toBe(false)
  expect(isFailure("not started", outcome, strict)).toBe(false)
  expect(isFailure("cannot check here", outcome, lax)).toBe(false)
  expect(isFailure("cannot check here", outcome, strict)).toBe(true)
  expect(isFailure("cannot check here", outcome, { strict: true, except: ["05"] })).toBe(false)
})

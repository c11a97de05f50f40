import { expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { checkExcept, isExcepted } from "./except.ts"

const one = { lesson: "01", title: "put says OK, get prints key and value" }

test("a test is excepted by its lesson or by its whole title, also if the title contains commas", () => {
  expect(isExcepted(one, ["01"])).toBe(true)
  expect(isExcepted(one, ["put says OK", "get prints key and value"])).toBe(true)
  expect(isExcepted(one, ["put says OK"])).toBe(false)
  expect(isExcepted(one, ["02"])).toBe(false)
  expect(isExcepted(one, [])).toBe(false)
})

test("an item that is neither a lesson nor a title is refused", () => {
  checkExcept([])
  checkExcept(["05", "put says OK", "get prints key and value"])
  expect(() => checkExcept(["05", "put says KO"])).toThrow(
    new UsageError(
      "BYHAND_EXCEPT names put says KO, which is neither a lesson nor the title of a test.",
      "Did you mean put says OK?",
    ),
  )
})

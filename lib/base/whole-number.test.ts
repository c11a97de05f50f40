import { expect, test } from "vitest"
import { UsageError } from "./errors.ts"
import { wholeNumber } from "./whole-number.ts"

test.each(["1", "64", "007"])("%s is a whole number", (given) => {
  expect(wholeNumber("--parallel", 1, 64)(given)).toBe(Number(given))
})

test.each(["", "0", "65", "-1", "1.5", "1e1", " 2", "two"])(
  "'%s' is refused, with the range and an example",
  (given) => {
    const read = () => wholeNumber("--parallel", 1, 64)(given)
    expect(read).toThrow(UsageError)
    expect(read).toThrow(`--parallel ${given} is not a whole number from 1 to 64. Write, for example: --parallel 2`)
  },
)

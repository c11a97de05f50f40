import { expect, test } from "vitest"
import { nearest } from "./nearest.ts"

test("the fewest edits win, the first among equals", () => {
  expect(nearest("BYHAND_PATIENC", ["BYHAND_CACHE", "BYHAND_PATIENCE", "BYHAND_RUNS"])).toBe("BYHAND_PATIENCE")
  expect(nearest("xx", ["ab", "cd"])).toBe("ab")
})

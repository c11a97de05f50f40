import { expect, test } from "vitest"
import { nearest } from "./nearest.ts"

test("the candidate with the fewest edits wins; among equals, the first one", () => {
  expect(nearest("BYHAND_PATIENC", ["BYHAND_CACHE", "BYHAND_PATIENCE", "BYHAND_RUNS"])).toBe("BYHAND_PATIENCE")
  expect(nearest("xx", ["ab", "cd"])).toBe("ab")
})

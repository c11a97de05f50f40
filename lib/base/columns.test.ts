import { expect, test } from "vitest"
import { columnsOf } from "./columns.ts"

test("a terminal has its own width; output that is none, and a terminal without a size, has that of a page", () => {
  expect([{ columns: 80 }, {}, { columns: 0 }].map(columnsOf)).toEqual([80, 100, 100])
})

import { lessonTable } from "../lesson-table.ts"
import { closingLine } from "../result.ts"
import type { Format } from "./format.ts"

/** The columns of a table that is not printed on a terminal. */
const WIDTH = 100

/** The table that a terminal shows at the end of a run. */
export const table: Format = {
  name: "table",
  description: "a row for each lesson, as on the terminal",
  render: ({ result }) =>
    [...lessonTable(result, { width: WIDTH, isTTY: false }), "", closingLine(result), ""].join("\n"),
}

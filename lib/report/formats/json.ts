import type { Format } from "./format.ts"

/** The whole result. lib/report/result.ts is its schema, and fixtures/schemas/grade.schema.json publishes it. */
export const json: Format = {
  name: "json",
  description: "everything, for programs (fixtures/schemas/grade.schema.json)",
  render: ({ result }) => `${JSON.stringify(result, undefined, 2)}\n`,
}

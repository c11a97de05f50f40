import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { resultSchema } from "./result.ts"

test("the published schema is the schema of the result", () => {
  expect(JSON.parse(readFileSync(join(packageRoot, "fixtures", "schemas", "grade.schema.json"), "utf8"))).toEqual(
    JSON.parse(JSON.stringify(resultSchema())),
  )
})

import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { packageRoot } from "../base/settings.ts"

const FOLDERS = [".", "fixtures/scaffold", "fixtures/class"].map((folder) => join(folder, ".github", "workflows"))
const FILES = FOLDERS.flatMap((folder) => readdirSync(join(packageRoot, folder)).map((name) => join(folder, name)))

/** What GitHub's own parser finds wrong with a workflow. */
async function mistakesIn(content: string): Promise<string[]> {
  const { context, value } = parseWorkflow({ name: "workflow.yml", content }, new NoOperationTraceWriter())
  if (value !== undefined) await convertWorkflowTemplate(context, value)
  return context.errors.getErrors().map(({ message }) => message)
}

describe("workflows", () => {
  test.each(FILES)("%s is one that GitHub accepts", async (file) => {
    expect(await mistakesIn(readFileSync(join(packageRoot, file), "utf8"))).toEqual([])
  })

  test.each([
    ["runs-on: x", "runs_on: x"],
    ["${{ matrix.part }}", "${{ matrix.part"],
    ["needs: grade", "needs: other"],
  ])("a mistake in one is seen: %s", async (right, wrong) => {
    const text = readFileSync(join(packageRoot, "fixtures/class/.github/workflows/class.yml"), "utf8").replaceAll(
      "ubuntu-24.04",
      "x",
    )
    expect(text).toContain(right)
    expect(await mistakesIn(text.replace(right, wrong))).not.toEqual([])
  })

  test("the book of a class is made of all of its parts", () => {
    const text = readFileSync(join(packageRoot, "fixtures/class/.github/workflows/class.yml"), "utf8")
    const { jobs } = parse(text) as { jobs: { grade: { strategy: { matrix: { part: number[] } } } } } // Checked above.
    const { part } = jobs.grade.strategy.matrix
    expect(part).toEqual(Array.from({ length: part.length }, (_, at) => at + 1))
    expect(text).toContain(`parts/part-{1..${part.length}}/book.json`)
  })
})

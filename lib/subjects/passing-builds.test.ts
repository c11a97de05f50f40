import { readdirSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, test } from "vitest"
import { gradeBuild, SUBJECTS } from "../proof/testing/builds.ts"
import { inThisRun } from "../proof/testing/turns.ts"
import { artifacts } from "../proof/testing/workplace.ts"

beforeAll(() => artifacts(), 1_800_000)

describe.concurrent("a build with another valid choice passes", () => {
  test.for(inThisRun(readdirSync(join(SUBJECTS, "pass")), 3))("%s", { timeout: 600_000 }, async (build, { expect }) => {
    const { outcomes, said } = await gradeBuild("pass", build, [], "120")
    expect(
      outcomes.filter(({ verdict }) => verdict !== "passed" && verdict !== "not started"),
      said,
    ).toEqual([])
    expect(outcomes.length).toBeGreaterThan(0)
  })
})

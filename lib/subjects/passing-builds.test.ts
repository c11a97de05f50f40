import { readdirSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, test } from "vitest"
import { buildsOfThisRun, gradeBuild, SUBJECTS } from "../proof/testing/builds.ts"
import { artifacts } from "../proof/testing/workplace.ts"

beforeAll(() => artifacts(), 1_800_000)

describe.concurrent("a build with another valid choice passes", () => {
  test.for(buildsOfThisRun(readdirSync(join(SUBJECTS, "pass"))))(
    "%s",
    { timeout: 600_000 },
    async (build, { expect }) => {
      const { outcomes, said } = await gradeBuild("pass", build, [], "120")
      expect(
        outcomes.filter(({ verdict }) => verdict !== "passed" && verdict !== "not started"),
        said,
      ).toEqual([])
      expect(outcomes.length).toBeGreaterThan(0)
    },
  )
})

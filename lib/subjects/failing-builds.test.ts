import { readdirSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, test } from "vitest"
import { failingBuilds, forkBomb } from "../proof/failing-builds.ts"
import { gradeFailingBuild, SUBJECTS } from "../proof/testing/builds.ts"
import { inThisRun } from "../proof/testing/turns.ts"
import { artifacts } from "../proof/testing/workplace.ts"

beforeAll(() => artifacts(), 1_800_000)

test("each predicted build has a folder, and each folder a prediction", () => {
  expect(readdirSync(join(SUBJECTS, "fail")).toSorted()).toEqual(Object.keys(failingBuilds).toSorted())
})

const chosen = inThisRun(
  Object.keys(failingBuilds).filter((build) => build !== forkBomb),
  3,
)
const tried = Object.entries(failingBuilds).filter(([build]) => chosen.includes(build))

describe.concurrent("a build that only looks right fails, with the predicted finding", () => {
  test.for(tried)("%s", { timeout: 600_000 }, async ([build, predicted], { expect }) => {
    const { found, before, said } = await gradeFailingBuild(build, predicted)
    expect(found, said).toEqual(
      predicted.map(([name, finding]) => ({
        test: expect.stringContaining(name) as string,
        verdict: "failed",
        finding,
      })),
    )
    expect(before).toEqual([])
  })
})

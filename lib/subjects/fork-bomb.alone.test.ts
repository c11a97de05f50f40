import { beforeAll, expect, test } from "vitest"
import { failingBuilds, forkBomb } from "../proof/failing-builds.ts"
import { gradeFailingBuild } from "../proof/testing/builds.ts"
import { artifacts } from "../proof/testing/workplace.ts"

beforeAll(() => artifacts(), 1_800_000)

// Its thousands of processes leave no time for a test that runs beside it.
test("a build that starts processes without end fails, with the predicted finding", { timeout: 600_000 }, async () => {
  const predicted = failingBuilds[forkBomb]
  const { found, before, said } = await gradeFailingBuild(forkBomb, predicted)
  expect(found, said).toEqual(
    predicted.map(([name, finding]) => ({ test: expect.stringContaining(name) as string, verdict: "failed", finding })),
  )
  expect(before).toEqual([])
})

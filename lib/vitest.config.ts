import { configDefaults, defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const ALONE = "lib/**/*.alone.test.ts"

/** The files that take minutes, the longest first. */
const LONGEST = ["passing-builds", "failing-builds", "cli/watch", "container/container", "machines/isolation"]

/**
 * Starts the longest files first, so that no worker waits for one at the end. vitest knows durations only from its
 * cache.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`))
      return found === -1 ? LONGEST.length : found
    }
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}

/** The project's own tests; the lessons have a config of their own. */
export default defineConfig({
  test: {
    // vitest leaves one core free by default; the tests wait more than they compute.
    maxWorkers: 3,
    testTimeout: 300_000, // Some tests build or boot what they test, beside other tests that do the same.
    hookTimeout: 300_000,
    maxConcurrency: 2, // Where tests of a file run at the same time they start clusters, each of which wants a core.
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: "own", include: ["lib/**/*.test.ts"], exclude: [...configDefaults.exclude, ALONE] },
      },
      // A test that takes the whole machine runs after all others, alone.
      { extends: true, test: { name: "alone", include: [ALONE], maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})

import { configDefaults, defineConfig } from "vitest/config"
import { readdirSync } from "node:fs"
import { inThisRun } from "./proof/testing/turns.ts"
import { BaseSequencer, type TestSpecification } from "vitest/node"

const ALONE = "lib/**/*.alone.test.ts"

const slow = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".slow.test.ts"),
)
const turn = inThisRun(slow, 4)
/** The files that this run leaves out. vitest's --exclude does not apply to projects. */
const LEFT_OUT = slow.filter((file) => !turn.includes(file)).map((file) => `lib/${file}`)

/**
 * Files that take half a minute or more. `.ci/run` runs a quarter of them for each commit. The first ones take minutes.
 */
const SLOW = [
  /(pass|fail)ing-builds\.test\.ts$|\/kubeadm-cluster\.slow\.test\.ts$/,
  /\/(watch|bad-input|network|container)\.slow\.test\.ts$/,
  /\.slow\.test\.ts$/,
]

/**
 * Starts the slowest files first, so that no worker waits for one at the end. vitest knows durations only from its
 * cache.
 */
class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = SLOW.findIndex((name) => name.test(moduleId))
      return found === -1 ? SLOW.length : found
    }
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}

/** The project's own tests; the lessons have a config of their own. */
export default defineConfig({
  logLevel: "error", // Vite would warn of each inlined file whose source map has no sources.
  test: {
    // vitest leaves one core free by default; the tests wait more than they compute.
    maxWorkers: 3,
    testTimeout: 300_000, // Some tests build or boot what they test, beside other tests that do the same.
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } }, // By default a second, which a busy machine can need for one command.
    maxConcurrency: 2, // Where tests of a file run at the same time they start clusters, each of which wants a core.
    sequence: { sequencer: SlowestFirst },
    // GitHub's parser imports JSON as bundlers do, and Node does not.
    server: { deps: { inline: [/@actions\//] } },
    projects: [
      {
        extends: true,
        test: { name: "own", include: ["lib/**/*.test.ts"], exclude: [...configDefaults.exclude, ALONE, ...LEFT_OUT] },
      },
      // A test that takes the whole machine runs after all others, alone.
      { extends: true, test: { name: "alone", include: [ALONE], maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
})

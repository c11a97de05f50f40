import { configDefaults, defineConfig } from "vitest/config"

const ALONE = "lib/**/*.alone.test.ts"

/** The project's own tests; the lessons have a config of their own. */
export default defineConfig({
  test: {
    // vitest leaves one core free by default; the tests wait more than they compute.
    maxWorkers: 2,
    testTimeout: 300_000, // Some tests build or boot what they test, beside another test that does the same.
    hookTimeout: 300_000,
    maxConcurrency: 2, // Where tests of a file run at the same time they start clusters, each of which wants a core.
    // Tests kill processes at any moment on a machine that others use too: the pipeline gives each a second try, and
    // tells.
    retry: process.env["CI"] === "true" ? 1 : 0,
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

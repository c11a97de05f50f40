import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { admit } from "./lib/machines/admission.ts"
import { messageOf, UsageError } from "./lib/base/errors.ts"
import { LessonOrder } from "./lib/report/lesson-order.ts"
import { BYHAND, byhandPlugin } from "./lib/report/vitest-plugin.ts"
import { sabotageOf } from "./lib/proof/sabotage/all.ts"
import { readSettings, type Settings } from "./lib/base/settings.ts"
import { checkExcept } from "./lib/curriculum/except.ts"
import { readFolder } from "./lib/subjects/folder.ts"

const settings = await admittedSettings()

async function admittedSettings(): Promise<Settings> {
  try {
    const found = readSettings()
    // What nobody serves or knows is refused before anything starts.
    checkExcept(found.except)
    await admit(found, "byhand-123456")
    if (found.sabotage !== undefined) sabotageOf(found.sabotage)
    if (found.subject !== undefined) await readFolder(found.subject)
    return found
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(error instanceof UsageError ? 2 : 1)
  }
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [byhandPlugin(settings)],
  test: {
    include: ["tests/*.test.ts"],
    exclude: [],
    // One process, one file after another: the lessons share one cluster.
    pool: "forks",
    isolate: false,
    fileParallelism: false,
    maxWorkers: 1,
    // Breaks one thing on purpose, to prove that the lessons notice it.
    setupFiles: settings.sabotage === undefined ? [] : [join(import.meta.dirname, "lib/proof/sabotage/setup.ts")],
    sequence: { sequencer: LessonOrder },
    // Every wait inside a test has a limit of its own and says what it waited for; this one only ends what hangs.
    testTimeout: settings.patience * 5,
    hookTimeout: settings.patience,
    teardownTimeout: settings.patience,
    tags: [
      { name: "observing", description: "only reads; needs --allow observe" },
      {
        name: "disturbing",
        description: "changes the cluster, and then restores it; needs --allow restart or destroy",
      },
      { name: "destroying", description: "replaces etcd's data, and then restores it; needs --allow destroy" },
    ],
    // vitest's --reporter flag takes the place of this one; the plugin does what every run needs.
    reporters: [BYHAND],
    // Compiled modules go to the cache: vitest's own folder for them, among the temporary files, stays there when it is killed.
    experimental: { fsModuleCache: true, fsModuleCachePath: join(settings.cacheDir, "modules") },
    // An installed package lies below node_modules, which vitest takes for compiled code.
    server: { deps: { inline: [/\/byhand\/(lib|tests)\//] } },
  },
})

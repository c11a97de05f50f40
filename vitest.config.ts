import { createHash } from "node:crypto"
import { join } from "node:path"
import { defineConfig } from "vitest/config"
import { admit } from "./lib/machines/admission.ts"
import { messageOf, UsageError } from "./lib/base/errors.ts"
import { admitFlags, commandLine } from "./lib/report/command-line.ts"
import { parseHostTarget } from "./lib/machines/host/target.ts"
import { LessonOrder } from "./lib/report/lesson-order.ts"
import { targetsFor } from "./lib/report/targets.ts"
import { BYHAND, byhandPlugin } from "./lib/report/vitest-plugin.ts"
import { sabotageOf } from "./lib/proof/sabotage/all.ts"
import { packageRoot, readSettings, type Settings } from "./lib/base/settings.ts"
import { checkExcept } from "./lib/curriculum/except.ts"
import { readFolder } from "./lib/subjects/folder.ts"

const settings = await admittedSettings()

async function admittedSettings(): Promise<Settings> {
  try {
    const found = readSettings()
    // Wrong settings and flags are refused before anything starts.
    admitFlags(commandLine().flags, [BYHAND])
    checkExcept(found.except)
    targetsFor(found)
    await admit(found, "byhand-123456")
    if (found.sabotage !== undefined) sabotageOf(found.sabotage)
    if (found.host !== undefined) admitHost(found)
    if (found.subject !== undefined) await readFolder(found.subject)
    else if (found.standIn)
      throw new UsageError(
        "--stand-in (BYHAND_STAND_IN) needs a folder of start scripts.",
        "Name the folder: npx byhand grade FOLDER --stand-in",
      )
    return found
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(error instanceof UsageError ? 2 : 1)
  }
}

/** Checks that the settings fit a running host. @throws UsageError */
function admitHost({ host = "", subject, sabotage, run, keep, standIn }: Settings): void {
  parseHostTarget(host)
  const other = Object.entries({
    BYHAND_SUBJECT: subject,
    BYHAND_SABOTAGE: sabotage,
    BYHAND_RUN: run,
    BYHAND_KEEP: keep,
  })
  const [name] = other.find(([, value]) => value !== undefined) ?? (standIn ? ["--stand-in (BYHAND_STAND_IN)"] : [])
  if (name === undefined) return
  throw new UsageError(
    `${name} does not apply to a running host, which is only looked at.`,
    "Unset it, or BYHAND_HOST.",
  )
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [byhandPlugin(settings)],
  test: {
    include: ["tests/*.test.ts"],
    exclude: [],
    // One process, one file after another: the lessons share one cluster.
    pool: "forks",
    // The client of etcd sends the server's IP address as the TLS server name, and Node.js warns about that.
    execArgv: ["--disable-warning=DEP0123"],
    isolate: false,
    fileParallelism: false,
    maxWorkers: 1,
    // Breaks one thing on purpose, to prove that the lessons notice it.
    setupFiles: settings.sabotage === undefined ? [] : [join(import.meta.dirname, "lib/proof/sabotage/setup.ts")],
    sequence: { sequencer: LessonOrder },
    // Each wait in a test has its own timeout, and its error names what it waited for. This timeout only ends a test
    // that hangs.
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
    // vitest's --reporter flag replaces this reporter. What every run needs is in the plugin.
    reporters: [BYHAND],
    // Compiled modules are stored in the cache folder. A killed vitest would leave its default folder among the
    // temporary files. Each checkout has its own: vitest removes all of it when the lock file differs from that of the
    // last run, also while a run of another checkout reads it.
    experimental: {
      fsModuleCache: true,
      fsModuleCachePath: join(
        settings.cacheDir,
        "modules",
        createHash("sha256").update(packageRoot).digest("hex").slice(0, 12),
      ),
    },
    // If this package is installed, its files are below node_modules. vitest compiles only the files there that are
    // listed here.
    server: { deps: { inline: [/\/byhand\/(lib|tests)\//] } },
  },
})

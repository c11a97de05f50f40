// Runs the lessons with several versions of Kubernetes, and prints a table of lessons and versions.
// usage: npm run matrix -- [--kubernetes VERSION… | --previous] [--lessons NN…]
import { Command } from "commander"
import { execa } from "execa"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import { knownVersions, releaseFor } from "../../binaries/versions.ts"
import { lessonCalled, lessonId, lessons, testFileOf } from "../../curriculum/lessons.ts"
import { closingLine, exitStatusOf, runResult, type RunResult } from "../../report/result.ts"
import type { Counts } from "../../report/verdict.ts"
import { runCommandLine } from "../command-line.ts"
import { grid, type Tried } from "./grid.ts"

const VITEST = join(packageRoot, "node_modules", "vitest", "vitest.mjs")

interface Options {
  readonly kubernetes: readonly string[]
  readonly previous?: boolean
  readonly lessons: readonly string[]
  readonly result?: string
}

const program = new Command("matrix")
  .description("Runs the lessons with several versions of Kubernetes, one after another.")
  .option("--kubernetes <version...>", "the versions", [...knownVersions])
  .option("--previous", "only the version before the newest one")
  .option("--lessons <nn...>", "the lessons", lessons.map(lessonId))
  .option("--result <file>", "write the counts to this file as JSON")
  .exitOverride()
  .action(async (options: Options) => {
    const versions = options.previous === true ? knownVersions.slice(-2, -1) : options.kubernetes
    versions.forEach(releaseFor) // A version that is not known is refused before anything runs.
    const files = options.lessons.map((given) => testFileOf(lessonCalled(given)))
    const tried: Tried[] = []
    for (const version of versions) {
      process.stdout.write(`\nKubernetes ${version}\n`)
      tried.push({ version, result: await run(version, files) })
    }
    const counts = sumOf(tried)
    process.stdout.write(`\n${grid(tried)}\n${closingLine(counts)}\n`)
    if (options.result !== undefined) writeFileSync(options.result, `${JSON.stringify(counts)}\n`)
    process.exitCode = tried.every(({ result }) => result !== undefined && exitStatusOf(result) === 0) ? 0 : 1
  })

/** Runs lessons with a version. @returns undefined if the run ends without a result */
async function run(version: string, files: readonly string[]): Promise<RunResult | undefined> {
  const place = mkdtempSync(join(tmpdir(), "byhand-matrix-"))
  const file = join(place, "result.json")
  try {
    await execa(process.execPath, [VITEST, "run", ...files], {
      cwd: packageRoot,
      reject: false,
      stdio: ["ignore", "inherit", "inherit"],
      env: { BYHAND_KUBERNETES: version, BYHAND_RESULT: file },
    })
    return runResult.parse(JSON.parse(readFileSync(file, "utf8")))
  } catch {
    return undefined // The run has printed why.
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** A run without a result counts as one failure. */
function sumOf(tried: readonly Tried[]): Counts {
  return tried.reduce<Counts>(
    (sum, { result = { passed: 0, failed: 1, skipped: 0 } }) => ({
      passed: sum.passed + result.passed,
      failed: sum.failed + result.failed,
      skipped: sum.skipped + result.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  )
}

await runCommandLine(program)

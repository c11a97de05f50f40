import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import type { Reporter, TestModule } from "vitest/node"
import { RemediedError, UsageError } from "../errors.ts"
import { isFailure, verdictOf } from "../report/verdict.ts"
import { packageRoot, type Settings } from "../settings.ts"
import { nameOf, settingsOf, type CommonOptions } from "./options.ts"

/** The lessons are not where they should be. */
class NoLessonsError extends RemediedError {}

/**
 * Runs the lessons as `npx vitest run` does; the settings travel in the environment. Sets the exit status.
 * @throws UsageError for a lesson that there is not
 */
export async function grade(lessons: readonly string[], options: CommonOptions & { readonly strict?: boolean; readonly except?: string }): Promise<void> {
  const config = join(packageRoot, "vitest.config.ts")
  const files = (await readdir(join(packageRoot, "tests")).catch(() => [])).filter((file) => file.endsWith(".test.ts")).sort()
  if (!existsSync(config) || files.length === 0) throw new NoLessonsError(`There are no lessons in ${packageRoot}.`, "Install byhand again.")
  const numbers = files.map((file) => file.slice(0, 2))
  const wanted = lessons.map((lesson) => lesson.padStart(2, "0"))
  const unknown = wanted.find((lesson) => !numbers.includes(lesson))
  if (unknown !== undefined) throw new UsageError(`There is no lesson ${unknown}.`, `There are ${numbers.join(", ")}.`)
  nameOf(options)
  if (options.kubernetes !== undefined) process.env["BYHAND_KUBERNETES"] = options.kubernetes
  if (options.strict === true) process.env["BYHAND_STRICT"] = "1"
  if (options.except !== undefined) process.env["BYHAND_EXCEPT"] = options.except
  const settings = settingsOf(options) // Wrong settings are wrong use, before anything runs.

  const { startVitest } = await import("vitest/node")
  const filters = files.filter((file) => wanted.length === 0 || wanted.includes(file.slice(0, 2))).map((file) => join(packageRoot, "tests", file))
  const { Preparation } = await import("../report/preparation.ts")
  // Reporters that are named here take the place of the config's; without the preparation there is nothing to test.
  const reporters = options.json === true ? { reporters: [new Preparation(settings), new JsonVerdicts(settings)] } : {}
  await startVitest("test", filters, { root: packageRoot, config, watch: false, run: true, ...reporters })
}

/** Prints each test's verdict for programs; vitest's own JSON does not say why a test was skipped. */
class JsonVerdicts implements Reporter {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const verdicts = modules.flatMap((module) => [...module.children.allTests()].map((test) => {
      const lesson = basename(module.moduleId).slice(0, 2)
      const { verdict, reason } = verdictOf(test)
      return { lesson, title: test.name, verdict, reason: reason ?? null, evidence: test.meta().evidence ?? null, card: test.meta().card ?? null,
        counts: isFailure(verdict, { lesson, title: test.name }, this.#settings) ? "failed" : "fine" }
    }))
    if (verdicts.some(({ counts }) => counts === "failed")) process.exitCode = 1
    const errors = modules.flatMap((module) => module.errors().map(({ message }) => message))
    process.stdout.write(`${JSON.stringify({ errors, verdicts }, undefined, 2)}\n`)
  }
}

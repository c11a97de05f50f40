import { basename, join } from "node:path"
import type { Reporter, TestModule } from "vitest/node"
import { UsageError } from "../errors.ts"
import { allLessons, type LessonFile } from "../lessons.ts"
import { isFailure, verdictOf } from "../report/verdict.ts"
import { packageRoot, type Settings } from "../settings.ts"
import { nameOf, settingsOf, type CommonOptions } from "./options.ts"

/**
 * Runs the lessons as `npx vitest run` does; the settings travel in the environment. Sets the exit status.
 * @throws UsageError for a lesson that there is not
 */
export async function grade(lessons: readonly string[], options: CommonOptions & { readonly strict?: boolean; readonly except?: string }): Promise<void> {
  const all = allLessons()
  const unknown = lessons.find((lesson) => !all.some(isCalled(lesson)))
  if (unknown !== undefined) throw new UsageError(`There is no lesson ${unknown === "" ? "without a number" : unknown}.`, `There are ${all.map(({ number }) => number).join(", ")}.`)
  nameOf(options)
  if (options.kubernetes !== undefined) process.env["BYHAND_KUBERNETES"] = options.kubernetes
  if (options.strict === true) process.env["BYHAND_STRICT"] = "1"
  if (options.except !== undefined) process.env["BYHAND_EXCEPT"] = options.except
  const settings = settingsOf(options) // Wrong settings are wrong use, before anything runs.

  const { startVitest } = await import("vitest/node")
  const filters = all.filter((lesson) => lessons.length === 0 || lessons.some((given) => isCalled(given)(lesson))).map(({ path }) => path)
  const config = join(packageRoot, "vitest.config.ts")
  const { Admission } = await import("../report/admission.ts")
  const { Preparation } = await import("../report/preparation.ts")
  // Reporters that are named here take the place of the config's; without the preparation there is nothing to test.
  const reporters = options.json === true ? { reporters: [new Admission(settings), new Preparation(settings), new JsonVerdicts(settings)] } : {}
  // The other loaders write beside the dependencies, where an ordinary user may not.
  await startVitest("test", filters, { root: packageRoot, config, watch: false, run: true, configLoader: "runner", ...reporters })
}

/** A lesson's number may lack the zero before it. */
function isCalled(given: string): (lesson: LessonFile) => boolean {
  return ({ number }) => given !== "" && number === given.padStart(2, "0")
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

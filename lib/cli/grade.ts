import { statSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import type { Reporter, TestModule } from "vitest/node"
import { messageOf, UsageError } from "../base/errors.ts"
import { allLessons, type LessonFile } from "../curriculum/lessons.ts"
import { documentOf } from "../report/grade-document.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import { readFolder } from "../subjects/folder.ts"
import { nameOf, settingsOf, type CommonOptions } from "./options.ts"

/** What grade takes besides what every command does. */
export interface GradeOptions extends Omit<CommonOptions, "json"> {
  readonly strict?: boolean
  readonly except?: string
  /** true: to standard output instead of what people read; a name: to that file besides. */
  readonly json?: boolean | string
}

/**
 * Runs the lessons as `npx vitest run` does, on a learner's folder where one is named; the settings travel in the environment. Sets the exit status.
 * @param targets a folder of start scripts, then numbers of lessons; each may be left out
 * @throws UsageError for a lesson that there is not, or a folder that cannot be graded
 */
export async function grade(targets: readonly string[], options: GradeOptions): Promise<void> {
  const all = allLessons()
  // A number behind --json is a lesson, not a file's name.
  const numbered = typeof options.json === "string" && /^\d+$/.test(options.json)
  const words = [...targets, ...(numbered ? [String(options.json)] : [])]
  const json = numbered ? true : options.json
  const [first = ""] = words
  const isFolder =
    first !== "" && !/^\d+$/.test(first) && statSync(first, { throwIfNoEntry: false })?.isDirectory() === true
  const lessons = isFolder ? words.slice(1) : words
  const unknown = lessons.find((lesson) => !all.some(isCalled(lesson)))
  if (unknown !== undefined)
    throw new UsageError(
      `There is no lesson ${unknown === "" ? "without a number" : unknown}${unknown === first && /[^\d.-]/.test(unknown) ? ", and no such folder" : ""}.`,
      `There are ${all.map(({ number }) => number).join(", ")}.`,
    )
  nameOf({ ...options, json: false })
  if (isFolder) process.env["BYHAND_SUBJECT"] = resolve(first)
  if (options.kubernetes !== undefined) process.env["BYHAND_KUBERNETES"] = options.kubernetes
  if (options.machine !== undefined) process.env["BYHAND_MACHINE"] = options.machine
  if (options.strict === true) process.env["BYHAND_STRICT"] = "1"
  if (options.except !== undefined) process.env["BYHAND_EXCEPT"] = options.except
  const settings = settingsOf({ ...options, json: false }) // Wrong settings are wrong use, before anything runs.

  if (settings.subject !== undefined) await readFolder(settings.subject)
  if (typeof json === "string") checkFile(json)

  const { startVitest } = await import("vitest/node")
  const filters = all
    .filter((lesson) => lessons.length === 0 || lessons.some((given) => isCalled(given)(lesson)))
    .map(({ path }) => path)
  const config = join(packageRoot, "vitest.config.ts")
  const { Admission } = await import("../report/admission.ts")
  const { Preparation } = await import("../report/preparation.ts")
  const { LessonTable } = await import("../report/lesson-table.ts")
  const { TypedLines } = await import("../report/typed-lines.ts")
  const { gitHubReporters } = await import("../report/github.ts")
  // Reporters that are named here take the place of the config's; without the preparation there is nothing to test.
  const forPeople = json === true ? [] : [new TypedLines(), new LessonTable(settings), ...gitHubReporters(settings)]
  const reporters =
    json === undefined
      ? {}
      : {
          reporters: [
            new Admission(settings),
            new Preparation(settings),
            ...forPeople,
            new JsonDocument(settings, typeof json === "string" ? json : undefined),
          ],
        }
  // The other loaders write beside the dependencies, where an ordinary user may not.
  await startVitest("test", filters, {
    root: packageRoot,
    config,
    watch: false,
    run: true,
    configLoader: "runner",
    ...reporters,
  })
}

/** A lesson's number may lack the zero before it. */
function isCalled(given: string): (lesson: LessonFile) => boolean {
  return ({ number }) => given !== "" && number === given.padStart(2, "0")
}

/** Tells each lesson's and test's verdict for programs; vitest's own JSON does not say why a test was skipped. */
class JsonDocument implements Reporter {
  readonly #settings: Settings
  readonly #file: string | undefined

  /** @param file where it goes; standard output by default */
  constructor(settings: Settings, file: string | undefined) {
    this.#settings = settings
    this.#file = file
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const document = documentOf(modules, this.#settings)
    const text = `${JSON.stringify(document, undefined, 2)}\n`
    if (this.#file === undefined) process.stdout.write(text)
    else writeFileSync(this.#file, text)
    if (document.errors.length > 0 || document.lessons.some(({ tests }) => tests.some(({ counts }) => counts)))
      process.exitCode = 1
  }
}

/** A file that is to be written must be possible, before anything runs. @throws UsageError */
function checkFile(file: string): void {
  try {
    writeFileSync(file, "")
  } catch (error) {
    throw new UsageError(
      `--json ${file} cannot be written: ${messageOf(error)}.`,
      "Name a file in a folder that is there, and that you may write to.",
      { cause: error },
    )
  }
}

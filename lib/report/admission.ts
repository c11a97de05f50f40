import { relative } from "node:path"
import type { Reporter, TestSpecification, Vitest } from "vitest/node"
import { z } from "zod"
import { makeRunsDir } from "../machines/admission.ts"
import { messageOf, UsageError } from "../base/errors.ts"
import { allLessons } from "../curriculum/lessons.ts"
import { nearest } from "../base/nearest.ts"
import { packageRoot, type Settings } from "../base/settings.ts"

// vitest keeps to itself what it was given, and does not mind a file that there is not beside one that there is.
const Given = z.object({ filenamePattern: z.array(z.string()).optional() })

/** Ends a run before it starts where a file, tag or title that was asked for does not exist, or the runs' folder cannot be made. First among the reporters. */
export class Admission implements Reporter {
  readonly #settings: Settings
  #vitest: Vitest | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  /** Not asynchronous: the other reporters are called meanwhile. */
  onTestRunStart(specifications: readonly TestSpecification[]): void {
    try {
      const { filenamePattern = [] } = Given.parse(this.#vitest)
      checkFiles(
        filenamePattern,
        specifications.map(({ moduleId }) => moduleId),
      )
      checkTags(
        this.#vitest?.config.tagsFilter,
        this.#vitest?.config.tags.map(({ name }) => name),
      )
      checkTitle(
        this.#vitest?.config.testNamePattern,
        specifications.map(({ moduleId }) => moduleId),
      )
      makeRunsDir(this.#settings)
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`)
      process.exit(error instanceof UsageError ? 2 : 1)
    }
  }
}

/** The same comparison as vitest's: a part of the path from here or from the root. @throws UsageError */
function checkFiles(filters: readonly string[], chosen: readonly string[]): void {
  const matches = (filter: string, path: string) => {
    const short = relative(packageRoot, path).toLowerCase()
    return (
      path.startsWith(filter) ||
      short.includes(filter.toLowerCase()) ||
      short.includes(relative(packageRoot, filter).toLowerCase())
    )
  }
  const unknown = filters.find((filter) => !chosen.some((path) => matches(filter, path)))
  if (unknown === undefined) return
  throw new UsageError(
    `No lesson's file has ${unknown} in its path.`,
    `There are ${allLessons()
      .map(({ path }) => relative(packageRoot, path))
      .join(", ")}.`,
  )
}

/** @throws UsageError for a word of an expression (such as observing && !slow) that is no tag */
function checkTags(expressions: readonly string[] = [], tags: readonly string[] = []): void {
  const words = expressions
    .flatMap((expression) => expression.split(/[\s!&|()]+/))
    .filter((word) => !["", "and", "or", "not"].includes(word) && !word.includes("*"))
  const unknown = words.find((word) => !tags.includes(word))
  if (unknown !== undefined)
    throw new UsageError(
      `There is no tag ${unknown}.`,
      `Did you mean ${nearest(unknown, tags)}? There are ${tags.join(", ")}.`,
    )
}

/** @throws UsageError where no test's full title, of lesson and test, is meant */
function checkTitle(pattern: RegExp | undefined, chosen: readonly string[]): void {
  if (pattern === undefined) return
  const lessons = allLessons().filter(({ path }) => chosen.includes(path))
  if (lessons.some(({ number, title, tests }) => tests.some((test) => pattern.test(`${number} ${title} ${test}`))))
    return
  throw new UsageError(
    `No test of lesson ${lessons.map(({ number }) => number).join(", ")} has ${pattern.source} in its title.`,
    "npx vitest list prints them all.",
  )
}

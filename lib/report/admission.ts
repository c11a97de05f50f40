import { relative } from "node:path"
import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { packageRoot } from "../base/settings.ts"
import type { LessonSpec } from "../curriculum/lesson-spec.ts"
import { lessonId, lessons, testFileOf, titlesOf } from "../curriculum/lessons.ts"

/** The lessons and tests that a user selects with vitest's command line. */
export interface Selection {
  /** Parts of paths. */
  readonly files: readonly string[]
  /** Expressions of tags, such as observing && !slow. */
  readonly tagsFilter?: readonly string[] | undefined
  /** The tags that exist. */
  readonly tags: readonly string[]
  readonly testNamePattern?: RegExp | undefined
}

/**
 * Refuses a file, tag or title that does not exist. vitest itself ignores a wrong file beside a right one, and runs
 * nothing for a wrong title.
 * @throws UsageError
 */
export function admitSelection({ files, tagsFilter = [], tags, testNamePattern }: Selection): void {
  const unknown = files.find((file) => !lessons.some(isChosenBy(file)))
  if (unknown !== undefined)
    throw new UsageError(
      `No lesson's file has ${unknown} in its path.`,
      `There are ${lessons.map((lesson) => relative(packageRoot, testFileOf(lesson))).join(", ")}.`,
    )
  checkTags(tagsFilter, tags)
  const chosen = lessons.filter((lesson) => files.length === 0 || files.some((file) => isChosenBy(file)(lesson)))
  if (testNamePattern === undefined) return
  // vitest compares with the full title, of lesson and test.
  const titles = chosen.flatMap((lesson) =>
    titlesOf(lesson).map((title) => `${lessonId(lesson)} ${lesson.title} ${title}`),
  )
  if (titles.some((title) => testNamePattern.test(title))) return
  throw new UsageError(
    `No test of lesson ${chosen.map(lessonId).join(", ")} has ${testNamePattern.source} in its title.`,
    "npx vitest list prints them all.",
  )
}

/** The same comparison as vitest's: a part of the path, from the current folder or from the root. */
function isChosenBy(filter: string): (lesson: LessonSpec) => boolean {
  return (lesson) => {
    const path = testFileOf(lesson)
    const short = relative(packageRoot, path).toLowerCase()
    return (
      path.startsWith(filter) ||
      short.includes(filter.toLowerCase()) ||
      short.includes(relative(packageRoot, filter).toLowerCase())
    )
  }
}

/** @throws UsageError if an expression contains a word that is not a tag */
function checkTags(expressions: readonly string[], tags: readonly string[]): void {
  const words = expressions
    .flatMap((expression) => expression.split(/[\s!&|()]+/))
    .filter((word) => !["", "and", "or", "not"].includes(word) && !word.includes("*"))
  const unknown = words.find((word) => !tags.includes(word))
  if (unknown !== undefined)
    throw new UsageError(`There is no tag ${unknown}.`, `${didYouMean(unknown, tags)}There are ${tags.join(", ")}.`)
}

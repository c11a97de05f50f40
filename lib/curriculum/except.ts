import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { lessonId, lessons, titlesOf } from "./lessons.ts"

/**
 * Whether --strict does not count an outcome. The list `except` names the outcome by its lesson or by its title. The
 * user separates the items with commas, so a title that contains commas arrives as several items.
 */
export function isExcepted(
  { lesson, title }: { readonly lesson: string; readonly title: string },
  except: readonly string[],
): boolean {
  return except.includes(lesson) || itemsOf(title).every((item) => except.includes(item))
}

/** @throws UsageError for an item that is neither a lesson nor the title of an outcome */
export function checkExcept(except: readonly string[]): void {
  if (except.length === 0) return
  const known = lessons.flatMap((lesson) => [lessonId(lesson), ...titlesOf(lesson).flatMap(itemsOf)])
  const unknown = except.find((item) => !known.includes(item))
  if (unknown === undefined) return
  throw new UsageError(
    `BYHAND_EXCEPT names ${unknown}, which is neither a lesson nor the title of a test.`,
    didYouMean(unknown, known).trim() || "npx vitest list prints all titles.",
  )
}

function itemsOf(title: string): string[] {
  return title.split(",").map((item) => item.trim())
}

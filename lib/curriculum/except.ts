import { UsageError } from "../base/errors.ts"
import { allLessons } from "./lessons.ts"
import { nearest } from "../base/nearest.ts"

/** A test that may be excepted from strict: by its lesson, or by its title, of which the commas of a list make several items. */
export function isExcepted(
  { lesson, title }: { readonly lesson: string; readonly title: string },
  except: readonly string[],
): boolean {
  return except.includes(lesson) || itemsOf(title).every((item) => except.includes(item))
}

/** @throws UsageError for an item that is neither a lesson nor the title of a test */
export function checkExcept(except: readonly string[]): void {
  if (except.length === 0) return
  const known = allLessons().flatMap(({ number, tests }) => [number, ...tests.flatMap(itemsOf)])
  const unknown = except.find((item) => !known.includes(item))
  if (unknown === undefined) return
  throw new UsageError(
    `BYHAND_EXCEPT names ${unknown}, which is neither a lesson nor the title of a test.`,
    `Did you mean ${nearest(unknown, known)}?`,
  )
}

function itemsOf(title: string): string[] {
  return title.split(",").map((item) => item.trim())
}

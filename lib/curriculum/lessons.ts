import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { RemediedError } from "../base/errors.ts"
import { packageRoot } from "../base/settings.ts"

/** A lesson as its file tells it, without running it. */
export interface LessonFile {
  /** Two digits, such as 03. */
  readonly number: string
  readonly path: string
  readonly title: string
  /** Titles of its tests, in order. */
  readonly tests: readonly string[]
}

/** The lessons are not where they should be. */
class NoLessonsError extends RemediedError {}

/** All lessons, in order. @throws NoLessonsError where there are none */
export function allLessons(): LessonFile[] {
  const folder = join(packageRoot, "tests")
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith(".test.ts"))
      .toSorted()
      .map((file) => read(join(folder, file), file.slice(0, 2)))
  } catch (error) {
    throw new NoLessonsError(`There are no lessons in ${folder}.`, "Install byhand again.", { cause: error })
  }
}

/** Titles are plain strings at the start of a line; the test of bad input holds them against what vitest finds. */
function read(path: string, number: string): LessonFile {
  const text = readFileSync(path, "utf8")
  const literal = String.raw`"(?:[^"\\]|\\.)*"`
  const unquote = (quoted = '""') => String(JSON.parse(quoted))
  return {
    number,
    path,
    title: unquote(new RegExp(String.raw`^lesson\(\d+, (${literal})`, "m").exec(text)?.[1]),
    tests: [...text.matchAll(new RegExp(String.raw`^ {2}test\(\s*(${literal})`, "gm"))].map(([, quoted]) =>
      unquote(quoted),
    ),
  }
}

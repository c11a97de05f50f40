import { BaseSequencer, type TestSpecification } from "vitest/node"
import { lessonOf } from "../curriculum/lessons.ts"

/** Runs the lessons in the order of their numbers. vitest's own order begins with the files that failed last time. */
export class LessonOrder extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((a, b) => numberOf(a) - numberOf(b)))
  }
}

/** The number of the lesson that a file tests. A file that belongs to no lesson comes last. */
function numberOf({ moduleId }: TestSpecification): number {
  return lessonOf(moduleId)?.number ?? Number.MAX_SAFE_INTEGER
}

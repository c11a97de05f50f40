import { BaseSequencer, type TestSpecification } from "vitest/node"
import { lessonOf } from "./preparation.ts"

/** Lessons in the order of their numbers; vitest's own order puts what failed last time first. */
export class LessonOrder extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((a, b) => lessonOf(a.moduleId) - lessonOf(b.moduleId)))
  }
}

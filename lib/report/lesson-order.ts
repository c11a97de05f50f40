import { BaseSequencer, type TestSpecification } from "vitest/node"

/** The number that a lesson's file begins with; larger than any lesson's if it has none. */
export function numberInName(path: string): number {
  return Number(/(\d+)-[^/]*$/.exec(path)?.[1] ?? Number.MAX_SAFE_INTEGER)
}

/** Runs the lessons in the order of their numbers. vitest's own order begins with the files that failed last time. */
export class LessonOrder extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((a, b) => numberInName(a.moduleId) - numberInName(b.moduleId)))
  }
}

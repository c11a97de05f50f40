import { reasonOf } from "../failure-text.ts"
import { isGraded, pointsOfLesson } from "../points.ts"
import type { LessonResult } from "../result.ts"
import type { Format } from "./format.ts"

/**
 * Autolab reads the last line of standard output: the scores of the problems. The line before it makes Autolab show the
 * outcomes: https://docs.autolabproject.com/lab/ and https://docs.autolabproject.com/features/formatted-feedback/
 */
export const autolab: Format = {
  name: "autolab",
  description: 'Autolab: the last line of standard output; its problems are named "Lesson 01", "Lesson 02", …',
  render: ({ result }) => {
    const lessons = result.lessons.filter(({ tests }) => tests.some(isGraded))
    const feedback = {
      _presentation: "semantic",
      stages: lessons.map(problemOf),
      ...Object.fromEntries(lessons.map((lesson) => [problemOf(lesson), outcomesOf(lesson)])),
    }
    const scores = Object.fromEntries(lessons.map((lesson) => [problemOf(lesson), pointsOfLesson(lesson).reached]))
    return `${JSON.stringify(feedback)}\n${JSON.stringify({ scores })}\n`
  },
  isLastOnOutput: true,
}

function problemOf({ id }: LessonResult): string {
  return `Lesson ${id}`
}

function outcomesOf({ tests }: LessonResult): object {
  return Object.fromEntries(
    tests
      .filter(isGraded)
      .map((test) => [
        test.title,
        test.verdict === "passed" ? { passed: true } : { passed: false, hint: reasonOf(test) },
      ]),
  )
}

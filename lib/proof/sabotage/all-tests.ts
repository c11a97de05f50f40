import { lessonId, lessons, titlesOf } from "../../curriculum/lessons.ts"

/** The names of all tests: "03 a ConfigMap that …". */
export function allTests(): string[] {
  return lessons.flatMap((lesson) => titlesOf(lesson).map((title) => `${lessonId(lesson)} ${title}`))
}

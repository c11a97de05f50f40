import { isGraded, pointsOf, pointsOfRun } from "../points.ts"
import { reasonOf } from "../failure-text.ts"
import type { Format, GradedRun } from "./format.ts"

/** The variables that Classroom 50's runner sets, and the fields of the result that have their values. */
const FIELDS = {
  CLASSROOM: "classroom",
  ASSIGNMENT: "assignment",
  SUBMISSION_TAG: "submission",
  COMMIT_URL: "commit",
  RELEASE_URL: "release",
} as const

/**
 * https://github.com/foundation50/classroom50/wiki/Advanced-Autograding, and schemas/result-v1.schema.json in that
 * repository. Its runner replaces owner, assignment_type and datetime by what it knows.
 */
export const classroom50: Format = {
  name: "classroom50",
  description: "Classroom 50's result.json (classroom50/result/v1)",
  render: (run) => `${JSON.stringify(resultOf(run), undefined, 2)}\n`,
  isGradedSuccess: true,
  lacks: (environment) => {
    const isUnset = (name: string) => (environment[name] ?? "") === ""
    const unset = [...Object.keys(FIELDS).filter(isUnset), ...(["OWNER", "USERNAME"].every(isUnset) ? ["OWNER"] : [])]
    return unset.length === 0 ? undefined : `needs ${unset.join(", ")}, which the runner of Classroom 50 sets`
  },
}

function resultOf({ result, environment, startedAt }: GradedRun): object {
  const of = (name: string) => environment[name] ?? ""
  const { reached } = pointsOfRun(result)
  const tests = result.lessons.flatMap(({ id, tests: all }) =>
    all.filter(isGraded).map((test) => {
      const points = pointsOf(test)
      return {
        "test-name": `${id} ${test.title}`,
        passed: test.verdict === "passed",
        score: points.reached,
        "max-score": points.most,
        ...(test.verdict === "passed" ? {} : { message: reasonOf(test) }),
      }
    }),
  )
  return {
    schema: "classroom50/result/v1",
    ...Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [field, of(name)])),
    assignment_type: of("ASSIGNMENT_TYPE") || "individual",
    owner: of("OWNER") || of("USERNAME"),
    review: of("REVIEW_URL") || of("COMMIT_URL"),
    datetime: instant(startedAt),
    graded_at: instant(startedAt + result.milliseconds),
    score: reached,
    "max-score": tests.length,
    tests,
  }
}

/** Such as 2026-06-01T14:32:01Z. */
function instant(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
}

import { stripVTControlCharacters } from "node:util"
import { cardText, reasonOf } from "../failure-text.ts"
import { isOwnFailure, wasGraded } from "../points.ts"
import type { OutcomeResult } from "../result.ts"
import type { Format, GradedRun } from "./format.ts"

/** https://exercism.org/docs/building/tooling/test-runners/interface */
export const exercism: Format = {
  name: "exercism",
  description: "Exercism's results.json, version 3",
  render: (run) => `${JSON.stringify(resultsOf(run), undefined, 2)}\n`,
  isGradedSuccess: true,
}

/** The largest number of characters of a message. */
const LONGEST = 65_535

function resultsOf({ result }: GradedRun): object {
  const tests = result.lessons.flatMap(({ id, tests: all }) =>
    all.filter(({ verdict, counts }) => verdict === "passed" || counts).map((test) => testOf(id, test)),
  )
  if (!wasGraded(result)) {
    const reasons = [
      ...result.faults.map(({ message }) => message),
      ...result.lessons.flatMap(({ tests: all }) => all.map(reasonOf)),
    ]
    return { version: 3, status: "error", message: cut(reasons[0] ?? "no outcome was checked"), tests: [] }
  }
  return { version: 3, status: tests.every(({ status }) => status === "pass") ? "pass" : "fail", message: null, tests }
}

/** A test in results.json. */
interface ExercismTest {
  readonly name: string
  readonly status: "pass" | "fail" | "error"
  readonly test_code: string
  /** The number of the task in the instructions. */
  readonly task_id: number
  readonly message?: string
}

/** The lessons are the tasks. An outcome that another one blocks could not be checked, which is an error. */
function testOf(lesson: string, test: OutcomeResult): ExercismTest {
  const { title, verdict, see } = test
  return {
    name: title,
    test_code: see ?? "",
    task_id: Number(lesson),
    status: verdict === "passed" ? "pass" : verdict === "failed" ? "fail" : "error",
    ...(verdict === "passed" ? {} : { message: cut(isOwnFailure(test) ? cardText(lesson, test) : reasonOf(test)) }),
  }
}

function cut(text: string): string {
  return stripVTControlCharacters(text).slice(0, LONGEST)
}

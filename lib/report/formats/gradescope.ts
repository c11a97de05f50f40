import { cardText, reasonOf } from "../failure-text.ts"
import { isGraded, isOwnFailure, pointsOf, pointsOfRun } from "../points.ts"
import type { OutcomeResult } from "../result.ts"
import type { Format, GradedRun } from "./format.ts"

/** https://gradescope-autograders.readthedocs.io/en/latest/specs/ */
export const gradescope: Format = {
  name: "gradescope",
  description: "Gradescope's results.json; written after each outcome",
  render: (run) => `${JSON.stringify(resultsOf(run), undefined, 2)}\n`,
  isLive: true,
}

function resultsOf({ result, hasEnded }: GradedRun): object {
  return {
    // The sum of the tests' scores. It is required if there are no tests yet.
    score: pointsOfRun(result).reached,
    execution_time: Math.round(result.milliseconds / 1000),
    output: [
      ...(hasEnded ? [] : ["The run was not completed. These are the outcomes that were checked before it ended."]),
      ...result.standIns.map(({ component, reason }) => `Our ${component} ran in place of yours: ${reason}`),
      ...result.faults.map(({ message }) => `An error outside of the tests: ${message}`),
    ].join("\n"),
    output_format: "text",
    test_output_format: "text",
    test_name_format: "text",
    tests: result.lessons.flatMap(({ id, tests }) =>
      tests.filter(isGraded).map((test, at) => testOf(id, `${id}.${at + 1}`, test)),
    ),
  }
}

function testOf(lesson: string, number: string, test: OutcomeResult): object {
  const { reached, most } = pointsOf(test)
  return {
    score: reached,
    max_score: most,
    status: test.verdict === "passed" ? "passed" : "failed",
    name: test.title,
    number,
    output: isOwnFailure(test)
      ? cardText(lesson, test)
      : test.verdict === "passed"
        ? (test.evidence ?? "")
        : reasonOf(test),
    tags: [`lesson-${lesson}`],
    extra_data: { id: test.id, verdict: test.verdict, finding: test.finding },
  }
}

import { reasonOf } from "../failure-text.ts"
import { isOwnFailure, pointsOfRun, type Points } from "../points.ts"
import { csvOf, type Cell } from "./csv.ts"
import type { Format, GradedRun } from "./format.ts"

/** The name of the assignment in a grade book. */
const ASSIGNMENT = "byhand"

/** A student in a grade book. */
export interface BookEntry extends GradedRun {
  /** The grade, if it is not the number of outcomes that passed. */
  readonly grade?: Points
  /** What the feedback says about the grade. */
  readonly remark?: string
}

/** Moodle, Grades, Import, CSV file: https://docs.moodle.org/en/Grade_import */
export const moodle: Format = {
  name: "moodle",
  description: "Moodle's grade book: Grades, Import, CSV file",
  render: (run) => moodleCsv([run]),
}

/** Canvas, Grades, Import: https://community.canvaslms.com (How do I import grades in the Gradebook?) */
export const canvas: Format = {
  name: "canvas",
  description: "Canvas' grade book: Grades, Import",
  render: (run) => canvasCsv([run]),
}

/**
 * Grades of a class for Moodle. Its columns are named as in Moodle's own export. Moodle deletes a grade if only its
 * feedback is imported, so both are there.
 */
export function moodleCsv(runs: readonly BookEntry[]): string {
  return csvOf([
    ["Username", `${ASSIGNMENT} (Real)`, `${ASSIGNMENT} (Feedback)`],
    ...runs.map((run): Cell[] => [run.student, gradeOf(run).reached, feedbackOf(run)]),
  ])
}

/**
 * Grades of a class for Canvas. Canvas finds a student by ID, SIS User ID, SIS Login ID or name, in this order; we know
 * the login. The second row sets the points of an assignment that Canvas does not have yet.
 */
export function canvasCsv(runs: readonly BookEntry[]): string {
  const points = runs.map(gradeOf)
  return csvOf([
    ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", ASSIGNMENT],
    // A student who leaves a lesson out can reach fewer points than others.
    ["    Points Possible", "", "", "", "", Math.max(0, ...points.map(({ most }) => most))],
    ...runs.map(({ student }, at): Cell[] => [student, "", "", student, "", points[at]?.reached ?? 0]),
  ])
}

function gradeOf({ grade, result }: BookEntry): Points {
  return grade ?? pointsOfRun(result)
}

/** What did not pass, and why, in a few lines. */
function feedbackOf(entry: BookEntry): string {
  const { result, remark = "" } = entry
  const { reached, most } = gradeOf(entry)
  return [
    `${reached} of ${most} points`,
    ...(remark === "" ? [] : [remark]),
    ...result.lessons.flatMap(({ id, tests }) =>
      tests.filter(isOwnFailure).map((test) => `${id} ${test.title}: ${reasonOf(test)}`),
    ),
    ...result.faults.map(({ message }) => `error: ${message.split("\n")[0] ?? ""}`),
  ].join("\n")
}

import { pointsOf, type Points } from "../report/points.ts"
import type { LessonResult, OutcomeResult, RunResult } from "../report/result.ts"
import type { LateRule, Rules, Student } from "./class-file.ts"
import { decimal } from "./decimal.ts"

const DAY = 86_400_000

/** The points of a lesson. `most` is 0 if nothing of it could be checked on this host. */
export interface LessonMark extends Points {
  readonly lesson: string
}

/** What lateness took. */
export interface Lateness {
  /** Days that had begun. */
  readonly days: number
  /** Percent of what was reached. */
  readonly percent: number
}

/** Outcomes that were not checked, and why. */
export interface NotChecked {
  /** As a clause, such as "needs --allow restart". */
  readonly reason: string
  readonly outcomes: number
}

/** The mark of a student. */
export interface Mark {
  readonly lessons: readonly LessonMark[]
  /** What counts neither as reached nor as missing, by reason; that of most outcomes first. */
  readonly notChecked: readonly NotChecked[]
  /** Percent, before lateness; undefined if nothing could be checked. */
  readonly reached: number | undefined
  readonly late: Lateness | undefined
  /** Percent; undefined if nothing could be checked. */
  readonly grade: number | undefined
}

/**
 * The mark for a result. In a class, an outcome of a lesson that a student has left out counts as not reached, because
 * the class asks for the lesson. What cannot be checked does not count: this host does not allow it, or the student's
 * host is only looked at.
 * @param submitted when it was handed in, in milliseconds since the epoch; undefined if it is not known
 */
export function markOf(
  { lessons: results }: Pick<RunResult, "lessons">,
  rules: Rules,
  { due }: Pick<Student, "due">,
  submitted: number | undefined,
): Mark {
  const asked = rules.lessons.map((lesson) => ({ lesson, result: results.find(({ id }) => id === lesson) }))
  const lessons = asked.map(({ lesson, result }): LessonMark => ({ lesson, ...pointsInClass(result) }))
  const parts = lessons
    .filter(({ most }) => most > 0)
    .map(({ lesson, reached, most }) => ({
      weight: rules.weights === undefined ? most : (rules.weights.get(lesson) ?? 0),
      share: rules.credit === "per lesson" ? Number(reached === most) : reached / most,
    }))
  const whole = parts.reduce((sum, { weight }) => sum + weight, 0)
  const reached =
    whole === 0 ? undefined : (100 * parts.reduce((sum, { weight, share }) => sum + weight * share, 0)) / whole
  const late = latenessOf(rules.late, due, submitted)
  return {
    lessons,
    notChecked: notCheckedIn(asked.flatMap(({ result }) => result?.tests ?? [])),
    reached,
    late,
    grade: reached === undefined ? undefined : reached * (1 - (late?.percent ?? 0) / 100),
  }
}

function pointsInClass(lesson: LessonResult | undefined): Points {
  const tests = lesson?.tests.filter(({ verdict }) => verdict !== "not chosen" && verdict !== "cannot check here") ?? []
  return { reached: tests.reduce((sum, test) => sum + pointsOf(test).reached, 0), most: tests.length }
}

function notCheckedIn(tests: readonly OutcomeResult[]): NotChecked[] {
  const counts = new Map<string, number>()
  for (const { reason } of tests.filter(({ verdict }) => verdict === "cannot check here")) {
    const clause = (reason ?? "").replace(/^cannot check here: /, "")
    counts.set(clause, (counts.get(clause) ?? 0) + 1)
  }
  return [...counts].map(([reason, outcomes]) => ({ reason, outcomes })).toSorted((a, b) => b.outcomes - a.outcomes)
}

/** @returns undefined if it was not late, or if there is no rule or no time */
export function latenessOf(
  rule: LateRule | undefined,
  due: number | undefined,
  submitted: number | undefined,
): Lateness | undefined {
  if (rule === undefined || due === undefined || submitted === undefined || submitted <= due) return undefined
  const days = Math.ceil((submitted - due) / DAY)
  return { days, percent: Math.min(rule.atMost, days * rule.perDay) }
}

/** How the grades of a class come about, in sentences. */
export function explanationOf({ weights, credit, late, due, lessons }: Rules): string[] {
  const part =
    credit === "per lesson"
      ? "A lesson counts if all of its outcomes passed."
      : "A lesson gives the part of its weight that is its part of outcomes that passed."
  return [
    weights === undefined
      ? credit === "per lesson"
        ? `${part} Its weight is the number of its outcomes.`
        : "Each outcome counts the same."
      : `${part} Weights: ${lessons.map((id) => `${id} ${decimal(weights.get(id) ?? 0)} %`).join(", ")}.`,
    "An outcome of a lesson that was left out is not reached.",
    "What was not checked counts neither as reached nor as missing; the row says how many outcomes that are.",
    ...(due === undefined ? [] : [`Due: ${timeText(due)}.`]),
    ...(late === undefined
      ? []
      : [
          `Late: each day that has begun takes ${decimal(late.perDay)} % of what was reached, at most ${decimal(late.atMost)} %.`,
        ]),
  ]
}

/** A time for people: UTC, to the minute. */
export function timeText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ")} UTC`
}

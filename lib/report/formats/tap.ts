import { stripVTControlCharacters } from "node:util"
import { cardText, faultTitle, reasonOf } from "../failure-text.ts"
import { isOwnFailure } from "../points.ts"
import type { OutcomeResult } from "../result.ts"
import type { Format, GradedRun } from "./format.ts"

/** The Test Anything Protocol. Version 13 is what all its readers understand: https://testanything.org */
export const tap: Format = {
  name: "tap",
  description: "the Test Anything Protocol, version 13: prove and other readers of TAP",
  render: tapText,
}

/** A test point, without its number. */
interface Point {
  readonly isOk: boolean
  readonly title: string
  /** Why it was skipped; undefined if it was not. */
  readonly skipped?: string | undefined
  readonly facts: Readonly<Record<string, string | number>>
}

function tapText({ result }: GradedRun): string {
  const points = [
    ...result.lessons.flatMap(({ id, tests }) =>
      tests.filter(({ verdict }) => verdict !== "not chosen").map((test) => pointOf(id, test)),
    ),
    ...result.faults.map(({ file, message }): Point => ({
      isOk: false,
      title: faultTitle(file),
      facts: { message: plain(message) },
    })),
  ]
  return [
    "TAP version 13",
    `1..${points.length}${points.length === 0 ? " # SKIP no outcome was chosen" : ""}`,
    ...points.flatMap((point, at) => lines(point, at + 1)),
    "",
  ].join("\n")
}

function pointOf(lesson: string, test: OutcomeResult): Point {
  const failed = isOwnFailure(test)
  return {
    isOk: !failed,
    title: `${lesson} ${test.title}`,
    skipped: failed || test.verdict === "passed" ? undefined : reasonOf(test),
    facts: {
      duration_ms: test.milliseconds,
      verdict: test.verdict,
      ...(test.finding === null ? {} : { finding: test.finding }),
      ...(failed
        ? { message: cardText(lesson, test) }
        : test.evidence === null
          ? {}
          : { evidence: plain(test.evidence) }),
      ...(test.see === null ? {} : { see: plain(test.see) }),
    },
  }
}

function lines({ isOk, title, skipped, facts }: Point, number: number): string[] {
  return [
    `${isOk ? "ok" : "not ok"} ${number} - ${escaped(title)}${skipped === undefined ? "" : ` # SKIP ${escaped(skipped)}`}`,
    "  ---",
    // YAML that every reader of TAP understands: texts as in JSON, without blocks of lines.
    ...Object.entries(facts).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
    "  ...",
  ]
}

/** One line, in which a # does not begin a directive. */
function escaped(text: string): string {
  return plain(text)
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[\\#]/g, (character) => `\\${character}`)
}

function plain(text: string): string {
  return stripVTControlCharacters(text)
}

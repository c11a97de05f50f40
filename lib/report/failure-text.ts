import { basename } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { cardLines } from "./card.ts"
import type { OutcomeResult } from "./result.ts"
import { oursIn } from "./stand-ins.ts"

/** The last lines of a message that are shown. */
const LAST_LINES = 12

/** The last lines that the script or the component printed; none for an assertion, whose values the card shows. */
export function lastLines({ card, message }: OutcomeResult): string[] {
  if (card?.expected !== undefined) return []
  const [, ...lines] = (message ?? "").split("\n").map((line) => line.trim())
  return lines.filter((line) => line !== "" && card?.observed.includes(line) !== true).slice(-LAST_LINES)
}

/** The last lines as text below a card; none if the card shows them already. */
function linesBelowCard(test: OutcomeResult): string[] {
  const lines = lastLines(test)
  return lines.length === 0 || test.card?.finding?.evidence === lines.join("\n") ? [] : ["", "last lines:", ...lines]
}

/**
 * Why an outcome did not pass, in full: the lines of its card, without the terminal's indentation and colours.
 * @param lesson two digits
 */
export function cardText(lesson: string, test: OutcomeResult): string {
  if (test.card === null) return failureText(lesson, test)
  const lines = cardLines(test.card, lesson, test.see ?? undefined, Infinity)
  return stripVTControlCharacters(lines.map((line) => line.slice(3)).join("\n"))
}

/**
 * Why an outcome did not pass, in short: what was observed, why, what to do, and the last lines that were printed.
 * @param lesson two digits
 */
export function failureText(lesson: string, test: OutcomeResult): string {
  const { card, reason, verdict } = test
  if (card === null) return stripVTControlCharacters(reason ?? verdict)
  const { observed, finding, standIns = [], hintFor = lesson } = card
  return stripVTControlCharacters(
    [
      ...(card.expected === undefined ? [observed] : [`expected ${card.expected}`, `observed ${observed}`]),
      ...(standIns.length === 0 ? [] : [`with ${oursIn(standIns)} in place of yours`]),
      ...(finding === undefined
        ? []
        : [
            `Why: ${finding.cause} (${finding.id})`,
            ...(finding.evidence === "" ? [] : [`Evidence: ${finding.evidence}`]),
            `Do: ${finding.remedy}`,
          ]),
      ...linesBelowCard(test),
      `Hint: npx byhand hint ${hintFor}`,
    ].join("\n"),
  )
}

/** The name of an error outside of the tests: a lesson's file that cannot be loaded is not the fault of a script. */
export function faultTitle(file: string | null): string {
  return file === null ? "outside of the tests" : basename(file)
}

/** Why an outcome did not pass, in one line. */
export function reasonOf({ card, reason, verdict }: OutcomeResult): string {
  const line = card?.finding?.cause ?? reason ?? verdict
  return stripVTControlCharacters(line).replaceAll(/\s+/g, " ").trim()
}

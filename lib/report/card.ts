import { describe, shown } from "../failures/describe.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"

/** What is printed for a failed test. The test process sends it to the reporters. */
export interface Card {
  readonly failure: Failure
  readonly expected?: string | undefined
  readonly observed: string
  readonly finding?: Finding | undefined
  /** Every component that is not well; printed if no known cause matches. */
  readonly unwell: readonly Unwell[]
}

const LABEL = 11

/** The card of a failure and its explanation. */
export function cardOf(failure: Failure, { finding, unwell }: Pick<Card, "finding" | "unwell">): Card {
  return { failure, ...expectation(failure), finding, unwell }
}

/** For a mismatch, the expected and the actual value; for any other failure, what happened. */
function expectation(failure: Failure): Pick<Card, "expected" | "observed"> {
  return failure.kind === "mismatch"
    ? {
        expected: shown(failure.expected),
        observed: failure.cause === undefined ? shown(failure.actual) : describe(failure.cause),
      }
    : { observed: describe(failure) }
}

/**
 * The card as lines for a terminal.
 * @param lesson its number, two digits
 * @param see what to type to see the same
 */
export function cardLines(
  { expected, observed, finding, unwell }: Card,
  lesson: string,
  see: string | undefined,
): string[] {
  return [
    ...row("expected", expected),
    ...row("observed", observed),
    ...(finding === undefined ? unwellLines(unwell) : findingLines(finding)),
    ...row(finding === undefined ? "look" : "", see === finding?.look ? undefined : see),
    ...row("hint", `npx byhand hint ${lesson}`),
  ]
}

/** A finding as lines for a terminal. */
export function findingLines({ id, cause, evidence, remedy, look }: Finding): string[] {
  return [...row("why", `${cause} (${id})`), ...row("evidence", evidence), ...row("do", remedy), ...row("look", look)]
}

/**
 * The components that are not well, with the last lines of their logs, as lines for a terminal. Printed if no known
 * cause fits.
 */
export function unwellLines(unwell: readonly Unwell[]): string[] {
  if (unwell.length === 0) return row("why", "no known cause matches, and every component that should run is well")
  return [
    ...row("why", `no known cause matches; ${unwell.map(({ name, state }) => `${name} ${state}`).join("; ")}`),
    ...unwell.flatMap(({ logPath, lastLines }) => row("log", [`${logPath} ends:`, ...lastLines].join("\n"))),
  ]
}

function row(label: string, text: string | undefined): string[] {
  if (text === undefined || text === "") return []
  return text.split("\n").map((line, index) => `   ${(index === 0 ? label : "").padEnd(LABEL)}${line}`)
}

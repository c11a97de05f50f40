import type { Finding, Unwell } from "../failures/finding.ts"

/** What a learner is told of a failed test; travels from the test's process to the reporters. */
export interface Card {
  readonly expected?: string | undefined
  readonly observed: string
  readonly finding?: Finding | undefined
  /** Where nothing known fits: every component that is not well. */
  readonly unwell: readonly Unwell[]
}

const LABEL = 11
const LONGEST = 600

/** What was asserted and what was there instead, as far as an error tells. */
export function expectation(error: unknown): Pick<Card, "expected" | "observed"> {
  if (!(error instanceof Error)) return { observed: String(error) }
  const { expected, actual } = error as { expected?: unknown; actual?: unknown } // vitest's assertion errors carry both.
  if (error.name !== "AssertionError" || (expected === undefined && actual === undefined))
    return { observed: error.message }
  return { expected: shown(expected), observed: shown(actual) }
}

function shown(value: unknown): string {
  if (value === "" || value === undefined) return "nothing"
  const text =
    typeof value === "string"
      ? value
      : value instanceof RegExp
        ? String(value)
        : (JSON.stringify(value) ?? typeof value)
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text
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

/** What is not well, in its own words, where nothing known fits. */
export function unwellLines(unwell: readonly Unwell[]): string[] {
  if (unwell.length === 0) return row("why", "nothing known fits, and every component that should run is well")
  return [
    ...row("why", `nothing known fits; ${unwell.map(({ name, state }) => `${name} ${state}`).join("; ")}`),
    ...unwell.flatMap(({ logPath, lastLines }) => row("its words", [`${logPath} ends:`, ...lastLines].join("\n"))),
  ]
}

function row(label: string, text: string | undefined): string[] {
  if (text === undefined || text === "") return []
  return text.split("\n").map((line, index) => `   ${(index === 0 ? label : "").padEnd(LABEL)}${line}`)
}

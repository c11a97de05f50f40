import { folded } from "../clients/log-line.ts"
import { describe, logFileOf, shown } from "../failures/describe.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"
import { fitMiddle, wrapped } from "./fit.ts"
import { oursIn } from "./stand-ins.ts"

/** What is printed for a failed test. The test process sends it to the reporters. */
export interface Card {
  readonly failure: Failure
  readonly expected?: string | undefined
  readonly observed: string
  readonly finding?: Finding | undefined
  /** Every component that is not well; printed if no known cause matches. */
  readonly unwell: readonly Unwell[]
  /** The components of ours that ran in place of the learner's; undefined if there were none. */
  readonly standIns?: readonly string[] | undefined
  /** The lesson whose hint helps, two digits; undefined if it is the outcome's own. */
  readonly hintFor?: string | undefined
}

/** Columns of a label, such as "observed", and of the space in front of it. */
const LABEL = 11
const INDENT = 3
/** The largest number of lines of a value, of evidence and of a log. A card must fit on a screen of 24 lines. */
const LONGEST_VALUE = 3
const LONGEST_EVIDENCE = 2
const LONGEST_LOG = 5

/** The card of a failure and its explanation. */
export function cardOf(
  failure: Failure,
  { finding, unwell }: Pick<Card, "finding" | "unwell">,
  standIns: readonly string[] = [],
): Card {
  return { failure, ...expectation(failure), finding, unwell, ...(standIns.length === 0 ? {} : { standIns }) }
}

/** For a mismatch, the expected and the actual value; for any other failure, what happened. */
function expectation(failure: Failure): Pick<Card, "expected" | "observed"> {
  return failure.kind === "mismatch"
    ? {
        expected: shown(failure.expected),
        observed: failure.cause === undefined ? shown(failure.actual) : describe(failure.cause),
      }
    : { observed: `${describe(failure)}${"machine" in failure && "log" in failure ? ` on ${failure.machine}` : ""}` }
}

/**
 * The card as lines for a terminal.
 * @param lesson its number, two digits
 * @param see what to type to see the same
 * @param width the number of columns; lines are wrapped or cut there, except commands, which must stay whole
 */
export function cardLines(
  { failure, expected, observed, finding, unwell, standIns = [], hintFor }: Card,
  lesson: string,
  see: string | undefined,
  width: number,
): string[] {
  return [
    ...prose("expected", expected, width, LONGEST_VALUE),
    ...prose("observed", observed, width, LONGEST_VALUE),
    ...prose("with", standIns.length === 0 ? "" : `${oursIn(standIns)} in place of yours`, width),
    ...(finding === undefined ? causeUnknown(unwell, width) : findingLines(finding, width)),
    ...commands(finding === undefined ? "look" : "", see === finding?.look ? undefined : see),
    ...commands("hint", `npx byhand hint ${hintFor ?? lesson}`),
    ...(finding === undefined ? logLines(unwell, width) : logLines(logOf(failure), width)),
  ]
}

/** A finding as lines for a terminal. */
export function findingLines({ id, cause, evidence, remedy, look }: Finding, width: number): string[] {
  return [
    ...prose("why", `${cause} (${id})`, width),
    ...prose("evidence", folded(evidence.split("\n")).join("\n"), width, LONGEST_EVIDENCE),
    ...prose("do", remedy, width),
    ...commands("look", look),
  ]
}

/**
 * The components that are not well, with the last lines of their logs, as lines for a terminal. Printed if no known
 * cause matches.
 */
export function unwellLines(unwell: readonly Unwell[], width: number): string[] {
  return [...causeUnknown(unwell, width), ...logLines(unwell, width)]
}

function causeUnknown(unwell: readonly Unwell[], width: number): string[] {
  const states = unwell.map(({ name, state }) => `${name} ${state}`)
  return prose(
    "why",
    states.length === 0
      ? "no known cause matches, and every component that should run is well"
      : `no known cause matches; ${states.join("; ")}`,
    width,
  )
}

/** The log of the component that a failure is about. */
function logOf(failure: Failure): readonly Pick<Unwell, "logPath" | "lastLines">[] {
  if (failure.kind === "mismatch") return failure.cause === undefined ? [] : logOf(failure.cause)
  if (!("log" in failure)) return []
  return [{ logPath: logFileOf(failure), lastLines: failure.log }]
}

/** The last lines of logs, folded and cut. */
function logLines(logs: readonly Pick<Unwell, "logPath" | "lastLines">[], width: number): string[] {
  return logs.flatMap(({ logPath, lastLines }) => {
    if (logPath === undefined) return []
    const lines = folded(lastLines.filter((line) => line.trim() !== "")).slice(-LONGEST_LOG)
    if (lines.length === 0) return row("log", [`${logPath} is empty`])
    return row("log", [`${logPath} ends:`, ...lines.map((line) => fitMiddle(line, width - INDENT - LABEL))])
  })
}

/** A row whose text is wrapped. If it has too many lines, an ellipsis ends it. */
function prose(label: string, text: string | undefined, width: number, most = Infinity): string[] {
  if (text === undefined || text === "") return []
  return row(label, wrapped(text, width - INDENT - LABEL, most))
}

/** A row with a command. It is neither wrapped nor cut, so that it can be copied. */
function commands(label: string, text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : row(label, text.split("\n"))
}

function row(label: string, lines: readonly string[]): string[] {
  return lines.map((line, at) => `${" ".repeat(INDENT)}${(at === 0 ? label : "").padEnd(LABEL)}${line}`.trimEnd())
}

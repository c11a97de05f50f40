import type { Card } from "./card.ts"

/** A learner's start script. */
export interface ScriptText {
  /** Such as 02-apiserver.sh. */
  readonly name: string
  readonly text: string
}

/** A line of a start script. */
export interface ScriptLine {
  /** The script's name. */
  readonly script: string
  /** From 1. */
  readonly line: number
}

/**
 * Finds the line of a learner's scripts that is the likely cause of a failure: the line that bash's error message
 * names, or the line that printed the message, or the first line with a flag or file that the finding names, or
 * the first line of the script.
 * @param lesson two digits
 * @param words the last lines that a script or component printed, if any
 * @returns undefined if there are no scripts
 */
export function scriptLineOf(
  lesson: string,
  card: Card | undefined,
  words: readonly string[],
  all: readonly ScriptText[],
): ScriptLine | undefined {
  const { failure, finding, observed = "", unwell = [] } = card ?? {}
  const machine = finding?.machine ?? (failure !== undefined && "machine" in failure ? failure.machine : undefined)
  const ofMachine = all.filter(({ name }) => machine !== undefined && name.endsWith(`@${machine}.sh`))
  const scripts = ofMachine.length === 0 ? all : ofMachine
  const said = [observed, finding?.evidence ?? "", ...words, ...unwell.flatMap(({ lastLines }) => lastLines)].flatMap(
    (text) => text.split("\n"),
  )
  for (const [, name, line] of said.join("\n").matchAll(/(\d\d-[^\s/:]+\.sh): line (\d+):/g)) {
    if (scripts.some((script) => script.name === name)) return { script: name ?? "", line: Number(line) }
  }
  const script =
    scripts.find(({ name }) => said.some((line) => line.includes(name))) ??
    scripts.find(({ text }) => finding !== undefined && starts(text, finding.component ?? "")) ??
    scripts.findLast(({ name }) => name.slice(0, 2) <= lesson) ??
    scripts[0]
  if (script === undefined) return undefined
  const line =
    linePrinting(script.text, said) ??
    lineNaming(script.text, finding === undefined ? [] : [finding.evidence, finding.cause, finding.remedy])
  return { script: script.name, line: line ?? 1 }
}

/** Whether a script runs a program. */
function starts(text: string, program: string): boolean {
  if (program === "") return false
  return text
    .split("\n")
    .some((line) => !isComment(line) && new RegExp(String.raw`(?:^|[\s/;&|("'])${program}(?:[\s"';&|]|$)`).test(line))
}

/** The first line that contains, in quotes, a line that was printed, as with echo. */
function linePrinting(script: string, said: readonly string[]): number | undefined {
  const printed = said.map((line) => line.trim()).filter((line) => line !== "")
  return found(script, (line) => printed.some((text) => line.includes(`"${text}"`) || line.includes(`'${text}'`)))
}

/**
 * The first line with a flag that the texts name, in their order; without one, the first line with a file that they
 * name.
 */
function lineNaming(script: string, texts: readonly string[]): number | undefined {
  const flags = texts.flatMap((text) => text.match(/(?<![\w-])--?[a-z][\w-]+/g) ?? [])
  const files = texts.flatMap((text) => text.match(/(?<![\w.:/])\/[\w.-]+(?:\/[\w.-]+)+/g) ?? [])
  for (const name of [...flags, ...files]) {
    const whole = new RegExp(String.raw`(?<![\w/-])${name.replaceAll(".", String.raw`\.`)}(?![\w-])`)
    const line = found(script, (text) => whole.test(text))
    if (line !== undefined) return line
  }
  return undefined
}

/** The number, from 1, of the first line that is not a comment and meets a condition. */
function found(script: string, isIt: (line: string) => boolean): number | undefined {
  const at = script.split("\n").findIndex((line) => !isComment(line) && isIt(line))
  return at < 0 ? undefined : at + 1
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line)
}

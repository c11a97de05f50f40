import type { Card } from "./card.ts"

/** A start script of a learner's. */
export interface ScriptText {
  /** Such as 02-apiserver.sh. */
  readonly name: string
  readonly text: string
}

/** A place in a learner's folder. */
export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
}

/**
 * Where in a learner's scripts to look for the reason of a failure: the line that bash complained of, or the one that printed what
 * was said last, or that has the flag or file that the finding names, or the first.
 * @param lesson two digits
 * @param words what a script or component has said last, if anything
 * @returns undefined where there are no scripts
 */
export function placeOf(
  lesson: string,
  card: Card | undefined,
  words: readonly string[],
  scripts: readonly ScriptText[],
): Place | undefined {
  const { finding, observed = "", unwell = [] } = card ?? {}
  const said = [observed, finding?.evidence ?? "", ...words, ...unwell.flatMap(({ lastLines }) => lastLines)].flatMap(
    (text) => text.split("\n"),
  )
  for (const [, name, line] of said.join("\n").matchAll(/(\d\d-[^\s/:]+\.sh): line (\d+):/g)) {
    if (scripts.some((script) => script.name === name)) return { file: name ?? "", line: Number(line) }
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
  return { file: script.name, line: line ?? 1 }
}

/** Whether a script calls a program. */
function starts(text: string, program: string): boolean {
  if (program === "") return false
  return text
    .split("\n")
    .some((line) => !isComment(line) && new RegExp(String.raw`(?:^|[\s/;&|("'])${program}(?:[\s"';&|]|$)`).test(line))
}

/** The first line with a string that was printed, as with echo. */
function linePrinting(script: string, said: readonly string[]): number | undefined {
  const printed = said.map((line) => line.trim()).filter((line) => line !== "")
  return found(script, (line) => printed.some((text) => line.includes(`"${text}"`) || line.includes(`'${text}'`)))
}

/** The first line with a flag that the texts name, in their order, or else with a file. */
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

/** The number, from 1, of the first line that is code and as it should be. */
function found(script: string, isIt: (line: string) => boolean): number | undefined {
  const at = script.split("\n").findIndex((line) => !isComment(line) && isIt(line))
  return at < 0 ? undefined : at + 1
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line)
}

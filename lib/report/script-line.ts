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
 * Where in a learner's scripts to look for the reason of a failure: the line that bash complained of, or the one that printed the
 * evidence, or that has the flag or file that the finding names, or the first.
 * @param lesson two digits
 * @returns undefined where there are no scripts
 */
export function placeOf(lesson: string, card: Card | undefined, scripts: readonly ScriptText[]): Place | undefined {
  const { finding, observed = "", unwell = [] } = card ?? {}
  const told = [observed, finding?.evidence, ...unwell.flatMap(({ lastLines }) => lastLines)].join("\n")
  for (const [, name, line] of told.matchAll(/(\d\d-[^\s/:]+\.sh): line (\d+):/g)) {
    if (scripts.some((script) => script.name === name)) return { file: name ?? "", line: Number(line) }
  }
  const script = scripts.find(({ name }) => told.includes(name)) ?? scripts.find(({ text }) => finding !== undefined && starts(text, finding.component))
    ?? scripts.findLast(({ name }) => name.slice(0, 2) <= lesson) ?? scripts[0]
  return script === undefined ? undefined : { file: script.name, line: lineNaming(script.text, finding === undefined ? [] : [finding.evidence, finding.cause, finding.remedy]) }
}

/** Whether a script calls a program. */
function starts(text: string, program: string): boolean {
  return text.split("\n").some((line) => !isComment(line) && new RegExp(String.raw`(?:^|[\s/;&|("'])${program}(?:[\s"';&|]|$)`).test(line))
}

/** The first line with a flag that the texts name, in their order, or else with a file; 1 where there is none. */
function lineNaming(script: string, texts: readonly string[]): number {
  const lines = script.split("\n")
  const said = lines.findIndex((line) => !isComment(line) && texts[0] !== undefined && texts[0] !== "" && line.includes(`"${texts[0]}"`)) // What a script says itself, as with echo.
  if (said >= 0) return said + 1
  const flags = texts.flatMap((text) => text.match(/(?<![\w-])--?[a-z][\w-]+/g) ?? [])
  const files = texts.flatMap((text) => text.match(/(?<![\w.:/])\/[\w.-]+(?:\/[\w.-]+)+/g) ?? [])
  for (const name of [...flags, ...files]) {
    const whole = new RegExp(String.raw`(?<![\w/-])${name.replaceAll(".", String.raw`\.`)}(?![\w-])`)
    const at = lines.findIndex((line) => !isComment(line) && whole.test(line))
    if (at >= 0) return at + 1
  }
  return 1
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line)
}

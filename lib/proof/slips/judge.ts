import { basename } from "node:path"
import { literal } from "../../base/literal.ts"
import { componentNames } from "../../components/registry.ts"
import type { TestResult } from "../sabotage/tasks.ts"
import type { Edit } from "./edits.ts"

/** What became of a slip. */
export const JUDGEMENTS = ["harmless", "named", "vague", "wrong", "no end"] as const
export type Judgement = (typeof JUDGEMENTS)[number]

/** Findings that only repeat what was seen. They are vague unless they name the edited file or line. */
const LAST_RESORTS = ["none", "script-ended", "script-without-effect", "last-words"]
/**
 * Findings about the text of a script. bash reports such a mistake at a later line, because it reads on until something
 * does not fit, so the file is what a card can name.
 */
const OF_THE_TEXT = [
  "script-syntax",
  "heredoc-without-end",
  "heredoc-ends-late",
  "line-not-continued",
  "continuation-broken",
  "blank-after-backslash",
]
/** Characters between the name of a script and the number of its line. */
const NEAR = 250
/** Characters of a word that is long enough to name a line. */
const TELLING = 4

/**
 * Judges the card of the first outcome that failed. A slip is named if the card contains the edited file, a flag or a
 * word of the edited line. It is wrong if a known cause was found that has none of them. A person must check these,
 * because the direct consequence of a slip can have other words.
 * @param results undefined if the run did not end in time
 */
export function judge(edit: Edit, results: readonly TestResult[] | undefined): Judgement {
  if (results === undefined) return "no end"
  const failed = results.find(({ verdict }) => verdict === "failed")
  if (failed === undefined) return results.some(({ verdict }) => verdict === "blocked") ? "vague" : "harmless"
  const card = `${failed.advice}\n${failed.reason}`
  if (namesOf(edit).some((name) => card.includes(name)) || namesLine(edit, card) || namesSet(edit, card)) return "named"
  if (OF_THE_TEXT.includes(failed.finding) && card.includes(edit.file)) return "named"
  return LAST_RESORTS.includes(failed.finding) ? "vague" : "wrong"
}

/**
 * Whether a card names an edited line, or the first line of its command, by the number: "line 7 of 01-etcd.sh",
 * "01-etcd.sh:7", "01-etcd.sh exited with 1 in line 7". A dropped line is named by the one above it.
 */
function namesLine({ file, line, commandLine, after }: Edit, card: string): boolean {
  const edited = Array.from({ length: Math.max(1, after.length) }, (_, at) => line + at)
  if (after.length === 0 && card.includes(`below line ${line - 1} of ${file}`)) return true
  return [...edited, commandLine].some(
    (number) =>
      card.includes(`${file}:${number}:`) ||
      new RegExp(`[Ll]ine ${number} of (?:\\S*/)?${literal(file)}`).test(card) ||
      new RegExp(`${literal(file)} (?!:)[^\\n]{0,${NEAR}}?\\bline ${number} \\(`).test(card),
  )
}

/** Whether a card names the variable that the edited line sets, or the function that it defines, as that. */
function namesSet({ before, after }: Edit, card: string): boolean {
  return [before, ...after].some((line) => {
    const name = /^\s*(?:export\s+)?(\w+)(?:=|\(\))/.exec(line)?.[1]
    return name !== undefined && new RegExp(`\\b(?:variable|defines) ${name}\\b`).test(card)
  })
}

/** The words that show that a card is about this slip. */
export function namesOf({ file, before, after, writes }: Edit): string[] {
  // Every card contains the name of a component. A card about a value shows it without variables.
  const words = (line: string) =>
    [line, line.replaceAll(/\$\{?\w+\}?/g, " ")]
      .join(" ")
      .split(/[\s"'`=,()[\]{}<>|;\\]+/)
      .filter((word) => word.length >= TELLING && componentNames.every((name) => name !== word))
  const isScript = file.endsWith(".sh")
  return [
    // A card that names the script without the line says no more than which component failed.
    ...(isScript ? [] : [basename(file)]),
    ...(writes === undefined ? [] : [writes]),
    ...new Set([before, ...after].flatMap(words)),
  ]
}

import { heredocsIn } from "../../diagnosis/scripts.ts"
import type { Draw } from "../draw.ts"

/** One slip of the keyboard in one line of a file. */
export interface Edit {
  /** What was done, such as "a digit is changed". */
  readonly kind: string
  /** The path of the file in the learner's folder. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** The first line of the command, which can be continued over several lines. */
  readonly commandLine: number
  readonly before: string
  /** The lines that replace it; none if the line is dropped. */
  readonly after: readonly string[]
  /** The path of the file that a here-document with this line writes; undefined if the line is in none. */
  readonly writes?: string | undefined
}

/** Changes one line. Undefined if there is nothing that it can change. */
type Slip = (line: string, draw: Draw, next: string | undefined) => readonly string[] | undefined

/** The place of a random match of a pattern. */
function place(line: string, pattern: RegExp, draw: Draw): { at: number; text: string } | undefined {
  const found = [...line.matchAll(pattern)].map(({ index, 0: text }) => ({ at: index, text }))
  return found.length === 0 ? undefined : draw.of("place", found)
}

/** Replaces a random match of a pattern. */
const replaces =
  (pattern: RegExp, replacement: (text: string, draw: Draw) => string): Slip =>
  (line, draw) => {
    const found = place(line, pattern, draw)
    if (found === undefined) return undefined
    return [line.slice(0, found.at) + replacement(found.text, draw) + line.slice(found.at + found.text.length)]
  }

const nothing = () => ""
const twice = (text: string) => text + text
const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("")
const DIGITS = "0123456789".split("")
const WORD = /[^\s"'=,:[\]{}]{2,}/g
const QUOTE = /["']/g

const slips: Readonly<Record<string, Slip>> = {
  "a character is dropped": replaces(/\S/g, nothing),
  "a character is doubled": replaces(/\S/g, twice),
  "two characters are swapped": replaces(/\S\S/g, ([one = "", other = ""]) => other + one),
  "a letter is changed": replaces(/[a-z]/g, (text, draw) =>
    draw.of(
      "letter",
      LETTERS.filter((letter) => letter !== text),
    ),
  ),
  "a word is dropped": replaces(WORD, nothing),
  "a word is doubled": replaces(WORD, (text) => `${text} ${text}`),
  "two words are swapped": replaces(/\S+ \S+/g, (text) => text.split(" ").toReversed().join(" ")),
  "the line is dropped": () => [],
  "the line is doubled": (line) => [line, line],
  "two lines are swapped": (line, _, next) => (next === undefined ? undefined : [next, line]),
  "a quote is dropped": replaces(QUOTE, nothing),
  "a quote is doubled": replaces(QUOTE, twice),
  "a quote is changed": replaces(QUOTE, (text) => (text === '"' ? "'" : '"')),
  "a digit is dropped": replaces(/\d/g, nothing),
  "a digit is doubled": replaces(/\d/g, twice),
  "a digit is changed": replaces(/\d/g, (text, draw) =>
    draw.of(
      "digit",
      DIGITS.filter((digit) => digit !== text),
    ),
  ),
  "a backslash is dropped": replaces(/\\/g, nothing),
  "a backslash is doubled": replaces(/\\/g, twice),
}

/** The names of all kinds of slips. */
export const kinds: readonly string[] = Object.keys(slips)

/**
 * A random slip in a folder. Comments and empty lines are left alone, because a slip there changes nothing.
 * @param files the text of each file by its path
 */
export function slip(files: ReadonlyMap<string, string>, draw: Draw): Edit {
  const lines = [...files].flatMap(([file, text]) =>
    text
      .split("\n")
      .map((content, at, all) => ({ file, at, content, next: all[at + 1] }))
      .filter(({ content }) => /^\s*[^#\s]/.test(content)),
  )
  for (let attempt = 0; ; attempt++) {
    const draws: Draw = Object.assign((question: string) => draw(`${attempt} ${question}`), {
      of: <T>(question: string, choices: readonly T[]): T => draw.of(`${attempt} ${question}`, choices),
    })
    const [kind, apply] = draws.of("kind", Object.entries(slips))
    const { file, at, content, next } = draws.of("line", lines)
    const isLast = next === undefined || next === ""
    const after = apply(content, draws, isLast ? undefined : next)
    if (
      after === undefined ||
      after.join("\n") === (kind === "two lines are swapped" ? `${content}\n${next}` : content)
    )
      continue
    const text = files.get(file) ?? ""
    const commandLine = text.split("\n").findLastIndex((_, one, all) => one <= at && !isContinued(all[one - 1])) + 1
    return { kind, file, line: at + 1, commandLine, before: content, after, writes: writtenBy(text, at) }
  }
}

function isContinued(line: string | undefined): boolean {
  return line?.endsWith("\\") === true
}

/** The path that the command of a here-document names, if the line with this index is inside it. */
function writtenBy(text: string, index: number): string | undefined {
  const lines = text.split("\n")
  const heredoc = heredocsIn(lines).find(({ begin, end }) => index >= begin && index < end)
  return heredoc && /(?:^|[\s>])(\/(?!dev\/)[^\s'"]+)/.exec(lines[heredoc.begin] ?? "")?.[1]
}

/** The text of a file after a slip. */
export function edited(text: string, { kind, line, after }: Edit): string {
  const lines = text.split("\n")
  lines.splice(line - 1, kind === "two lines are swapped" ? 2 : 1, ...after)
  return lines.join("\n")
}

import { near } from "../base/nearest.ts"
import { words as split } from "../base/shell.ts"
import { specs, type ComponentName } from "../components/registry.ts"
import type { Observation } from "./observation.ts"

/** The folder of a learner's start scripts on the machine. */
export const SCRIPTS_FOLDER = "/root/cluster"

/** The beginning of a here-document, with the word that ends it. */
const HEREDOC = /(?<!<)<<-?(?!<)\s*['"\\]?(\w+)/

/** A start script of a learner. */
interface Script {
  /** Its name in the folder, such as 01-etcd.sh. */
  readonly name: string
  readonly text: string
}

/** A command of a script that starts a component. */
export interface StartCommand {
  readonly component: ComponentName
  readonly script: string
  /** The number of its first line. */
  readonly line: number
  /** Its words, as far as the script states them: nothing is expanded. */
  readonly argv: readonly string[]
  /** Flags on the lines below that the command does not get, because a line above them ends it. */
  readonly lost: readonly string[]
  /** The line that ends it too early, and how. */
  readonly broken: Break | undefined
}

/** A line that breaks a command which should continue. */
interface Break {
  readonly line: number
  readonly text: string
  readonly how: "blank" | "doubled" | "comment" | "missing"
}

/** The start scripts, in the order in which they run; none for the project's own cluster. */
export function scriptsOf({ files }: Pick<Observation, "files">): Script[] {
  return Object.entries(files)
    .flatMap(([path, text]) => {
      const name = path.startsWith(`${SCRIPTS_FOLDER}/`) ? path.slice(SCRIPTS_FOLDER.length + 1) : ""
      return /^\d\d-[^/]*\.sh$/.test(name) ? [{ name, text }] : []
    })
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/** The commands of the scripts that start components. */
export function startCommandsOf(seen: Pick<Observation, "files">): StartCommand[] {
  return scriptsOf(seen).flatMap(commandsIn)
}

function commandsIn({ name, text }: Script): StartCommand[] {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""))
  const texts = heredocsIn(lines)
  const found: StartCommand[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ""
    if (texts.some(({ begin, end }) => at > begin && at <= end)) continue
    const component = startedBy(line)
    if (component === undefined) continue
    const first = at + 1
    const command = continued(lines, at)
    at = command.end
    const words = split(command.text)
    const start = words.findIndex((word) => component.program === word.split("/").at(-1))
    const end = words.findIndex((word, index) => index > start && /^(?:&+|[|;]+|\d?>.*|<.*)$/.test(word))
    found.push({
      component: component.name,
      script: name,
      line: first,
      argv: words.slice(start, end < 0 ? undefined : end).map((word) => word.replace(/;$/, "")),
      lost: command.lost,
      broken: command.broken,
    })
  }
  return found
}

/** A heredoc of a script: its word, and the indexes of the lines in which it begins and ends. */
export interface Heredoc {
  readonly word: string
  readonly begin: number
  /** The number of lines if no line ends it. */
  readonly end: number
}

/** The heredocs of a script. One that stands inside another is a part of its text. */
export function heredocsIn(lines: readonly string[]): Heredoc[] {
  const found: Heredoc[] = []
  for (let at = 0; at < lines.length; at++) {
    const [start, word] = HEREDOC.exec(withoutComment(lines[at] ?? "")) ?? []
    if (start === undefined || word === undefined) continue
    const isEnd = (line: string) => (start.startsWith("<<-") ? line.replace(/^\t+/, "") : line) === word
    const after = lines.slice(at + 1).findIndex(isEnd)
    const end = after < 0 ? lines.length : at + 1 + after
    found.push({ word, begin: at, end })
    at = end
  }
  return found
}

/** A heredoc that ends at the end of another one, because the line that was meant to end it is not its word alone. */
export interface LateHeredoc {
  readonly script: string
  /** The number of the line in which it begins. */
  readonly line: number
  readonly word: string
  /** The line that was meant to end it: one that is like the word, or the last one before the other heredoc begins. */
  readonly meant: { readonly line: number; readonly text: string; readonly isLike: boolean }
}

/** The heredocs of the scripts that end late. */
export function lateHeredocsOf(seen: Pick<Observation, "files">): LateHeredoc[] {
  return scriptsOf(seen).flatMap(({ name, text }) => {
    const lines = text.split("\n")
    return heredocsIn(lines).flatMap(({ word, begin, end }) => {
      if (end === lines.length) return []
      const inside = lines.slice(begin + 1, end)
      const other = inside.findIndex((line) => HEREDOC.exec(line)?.[1] === word)
      if (other <= 0) return [] // Where it is in the first line, the heredoc was opened twice.
      const isLike = (line: string) =>
        new RegExp(`^\\s*['"]?${word}(?!\\w)`).test(line) || near(line.trim(), [word]) !== undefined
      const like = inside.slice(0, other).findLastIndex(isLike)
      const at = like >= 0 ? like : other - 1
      const meant = { line: begin + 2 + at, text: inside[at] ?? "", isLike: like >= 0 }
      return [{ script: name, line: begin + 1, word, meant }]
    })
  })
}

/** The component whose program a line starts: its first word, after exec, nohup, sudo, variables and the like. */
function startedBy(line: string) {
  const plain = withoutComment(line).replace(/\\+\s*$/, "")
  const [first] = split(
    plain.replace(
      /^\s*(?:(?:exec(?:\s+-a\s+\S+)?|nohup|sudo(?:\s+-E)?|setsid|env|command|\w+=(?:"[^"]*"|'[^']*'|\S*))\s+)*/,
      "",
    ),
  )
  if (first === undefined || first.startsWith("-")) return undefined // A flag of a command whose line above was broken.
  return specs.find(({ program, isProvided }) => isProvided !== true && program === first.split("/").at(-1))
}

/** The lines of a command from a line on, and where they break off. */
function continued(
  lines: readonly string[],
  from: number,
): { text: string; end: number; broken: Break | undefined; lost: readonly string[] } {
  const parts: string[] = []
  let broken: Break | undefined
  let at = from
  for (; at < lines.length; at++) {
    const line = lines[at] ?? ""
    const code = withoutComment(line)
    const isComment = code.trim() === "" && line.trim() !== ""
    parts.push(code.replace(/\\+\s*$/, (end) => (end.startsWith("\\\\") ? " \\\\ " : " ")))
    const breaks = (how: Break["how"]): Break => ({ line: at + 1, text: line.trim(), how })
    if (/\\\\\s*$/.test(code)) broken ??= breaks("doubled")
    else if (/\\[ \t]+$/.test(line) && code === line) broken ??= breaks("blank")
    else if (at > from && isComment && isFlag(lines[at + 1])) broken ??= breaks("comment")
    else if (code.endsWith("\\")) continue
    else if (code !== line && /\\\s*$/.test(line)) broken ??= breaks("comment")
    else if (isFlag(lines[at + 1])) broken ??= breaks("missing")
    break
  }
  const lost: string[] = []
  if (broken !== undefined)
    for (const line of lines.slice(at + 1)) {
      const [flag] = /^\s*["']?(--?[A-Za-z][\w-]*)/.exec(line)?.slice(1) ?? []
      if (flag === undefined && !line.trim().startsWith("#")) break
      if (flag !== undefined) lost.push(flag)
    }
  return { text: parts.join(" "), end: Math.min(at, lines.length - 1), broken, lost }
}

function isFlag(line: string | undefined): boolean {
  return /^\s+["']?--?[A-Za-z]/.test(line ?? "")
}

/** A line without its comment. A # inside quotes begins none. */
function withoutComment(line: string): string {
  return line.slice(0, quotesOf(line).end)
}

/** Where the code of a line ends, and the quote that is still open there; empty if there is none. */
function quotesOf(line: string): { readonly end: number; readonly open: string } {
  let open = ""
  for (let at = 0; at < line.length; at++) {
    const sign = line[at] ?? ""
    if (sign === "\\" && open !== "'") at++
    else if (open !== "") {
      if (sign === open) open = ""
    } else if (sign === "'" || sign === '"') open = sign
    else if (sign === "#" && (at === 0 || /\s/.test(line[at - 1] ?? ""))) return { end: at, open }
  }
  return { end: line.length, open }
}

/** The first line of a script with a quote that the same line does not close. Most texts in quotes are on one line. */
export function openQuoteIn(text: string): { readonly line: number; readonly text: string } | undefined {
  const lines = text.split("\n")
  const texts = heredocsIn(lines)
  const at = lines.findIndex(
    (line, index) => quotesOf(line).open !== "" && !texts.some(({ begin, end }) => index > begin && index <= end),
  )
  return at < 0 ? undefined : { line: at + 1, text: (lines[at] ?? "").trim() }
}

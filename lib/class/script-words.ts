/** A word of a script, and its line. */
export interface Word {
  readonly text: string
  /** From 0. */
  readonly line: number
}

/** What stands for a name that the writer has chosen: of a variable or a function. */
const NAME = "$"
/** A variable, a word, or a character that connects commands. Quotes, =, commas and others only separate words. */
const WORD = /\$\{[^}]{0,200}\}|\$\w+|[\p{L}\p{N}_.:/@%+-]+|[|&<>(]/gu
/** Where names are chosen: assignments, loops, functions. */
const CHOSEN =
  /(?:^|[\s;&|({])(?:([A-Za-z_]\w*)\+?=|(?:for|read(?: -r)?|local|export|readonly) +([A-Za-z_]\w*)|function +([\w-]+)|([A-Za-z_][\w-]*) *\( *\))/gm

/**
 * The words of a shell script or of a configuration file, without what a person changes who hides a copy: comments,
 * blanks, breaks of lines, quotes, and the names of variables and functions. `--flag=value` is the same as
 * `--flag value`.
 */
export function wordsOf(text: string): Word[] {
  const chosen = new Set([...text.matchAll(CHOSEN)].flatMap((match) => match.slice(1)))
  chosen.delete("")
  return text.split("\n").flatMap((whole, line) =>
    [...withoutComment(whole).matchAll(WORD)].map(([word]) => ({
      text: word.startsWith("$") || chosen.has(word) ? NAME : word,
      line,
    })),
  )
}

/** A line up to the # that begins a comment: one that is not in quotes, and begins a word. */
function withoutComment(line: string): string {
  let quote = ""
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at)
    if (quote === "" && character === "#" && (at === 0 || /[\s;&|()]/.test(line.charAt(at - 1))))
      return line.slice(0, at)
    if (character === "\\" && quote !== "'") at++
    else if (character === quote) quote = ""
    else if (quote === "" && (character === '"' || character === "'")) quote = character
  }
  return line
}

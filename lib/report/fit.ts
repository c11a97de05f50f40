import wrapAnsi from "wrap-ansi"

/**
 * A text in lines of at most `length` characters. Without a limit only its own line breaks count.
 * @param most the largest number of lines; if there are more, an ellipsis ends the last one
 */
export function wrapped(text: string, length: number, most = Infinity): string[] {
  const lines = (Number.isFinite(length) ? wrapAnsi(text, length, { hard: true }) : text).split("\n")
  return lines.length <= most ? lines : [...lines.slice(0, most - 1), fit(`${lines[most - 1] ?? ""}…`, length)]
}

/** Shortens a line to at most `length` characters. An ellipsis replaces the part that is cut off. */
export function fit(line: string, length: number): string {
  if (line.length <= length) return line
  return length < 1 ? "" : `${line.slice(0, length - 1)}…`
}

/** Shortens a line to at most `length` characters. An ellipsis replaces the middle: a log line ends with its reason. */
export function fitMiddle(line: string, length: number): string {
  if (line.length <= length) return line
  const head = Math.floor((length - 1) / 3)
  return `${line.slice(0, head)}…${line.slice(line.length - (length - 1 - head))}`
}

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

/** Shortens a line to at most `length` characters. An ellipsis replaces the part that is cut off. */
export function fit(line: string, length: number): string {
  if (line.length <= length) return line
  return length < 1 ? "" : `${line.slice(0, length - 1)}…`
}

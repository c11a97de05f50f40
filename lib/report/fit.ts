/** @returns a line of at most so many characters; an ellipsis stands for what was cut off */
export function fit(line: string, length: number): string {
  if (line.length <= length) return line
  return length < 1 ? "" : `${line.slice(0, length - 1)}…`
}

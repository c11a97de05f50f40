import type { Machine } from "../machines/machine.ts"

/**
 * The number of characters of a line that the diagnosis reads. A pattern that begins with .* takes minutes for a line
 * of half a megabyte, such as a large value that a client prints.
 */
export const LONGEST_LINE = 4_000

/**
 * The lines of a log file on a machine, each of at most LONGEST_LINE characters, without the usage of programs. A file
 * that does not exist has one empty line: the program has logged nothing.
 */
export async function logLines(machine: Machine, path: string): Promise<string[]> {
  const text = await machine.read(path).catch(() => Buffer.alloc(0))
  return withoutUsage(text.toString())
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(0, LONGEST_LINE))
}

/**
 * A log without the usage that a program such as pkill prints below its error: the usage has forty lines,
 * and the last lines of the log would not contain the error.
 */
export function withoutUsage(text: string): string {
  return text.replaceAll(
    /^usage:\n(?:(?!.*usage:$).*\n){1,80}?for more (?:details|information),? see [\w.-]+\(\d\)\.?$/gim,
    "",
  )
}

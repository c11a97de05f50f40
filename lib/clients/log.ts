import type { Machine } from "../machines/machine.ts"

/**
 * The lines of a log file on a machine. A file that does not exist has one empty line: the program has logged nothing.
 */
export async function logLines(machine: Machine, path: string): Promise<string[]> {
  const text = await machine.read(path).catch(() => Buffer.alloc(0))
  return text.toString().trimEnd().split("\n")
}

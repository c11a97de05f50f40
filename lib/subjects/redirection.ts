import { join } from "node:path/posix"
import { HOME } from "./folder.ts"

/** A word after an operator: quoted, or up to a blank or another operator. */
const WORD = /\s*(?:"([^"]*)"|'([^']*)'|([^\s"'&;|<>()]+))/.source

/**
 * The file to which a command of a script sends its standard error, or that it names for tee; undefined if there is
 * none, or its name contains variables.
 */
export function logOfCommand(command: string): string | undefined {
  const text = command.replaceAll("\\\n", " ")
  const target = (operator: string) => {
    const found = new RegExp(`(?:^|[\\s;&|])${operator}${WORD}`).exec(text)
    return found?.[1] ?? found?.[2] ?? found?.[3]
  }
  const path =
    target("&>>?") ?? target("2>>?") ?? (/2>&1/.test(text) ? target("1?>>?") : undefined) ?? target("tee(?:\\s+-a)?")
  if (path === undefined || path.includes("$") || path.startsWith("/dev/")) return undefined
  return path.startsWith("/") ? path : join(HOME, path)
}

/** The words of a command that runs a program, from the program on; undefined if they are not all written out. */
export function argvOfCommand(command: string, program: string): string[] | undefined {
  const words = command
    .replaceAll("\\\n", " ")
    .replace(/\s(?:#|[0-9&]*[<>|&]).*$/s, "")
    .split(/\s+/)
    .filter((word) => word !== "")
  const at = words.findIndex((word) => word.split("/").at(-1) === program)
  return at === -1 || words.some((word) => /[$"'`\\*]/.test(word)) ? undefined : words.slice(at)
}

import { writeFileSync } from "node:fs"
import { messageOf, UsageError } from "../base/errors.ts"

/**
 * Empties the file to which the result will be written. If this run is killed, the file must not contain the result of
 * an earlier run.
 * @param given what the user wrote, such as --json FILE
 * @throws UsageError if it cannot be written
 */
export function emptyResultFile(file: string, given: string): void {
  try {
    writeFileSync(file, "")
  } catch (error) {
    throw new UsageError(
      `${given} cannot be written: ${messageOf(error)}.`,
      "Name a file in a folder that exists and that you may write to.",
      { cause: error },
    )
  }
}

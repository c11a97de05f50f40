import { CommanderError, type Command } from "commander"
import { messageOf, UsageError } from "../base/errors.ts"

/**
 * Runs the command line of a proof. Every error is one message. Exit status: 0 success, 1 something failed, 2 wrong use.
 */
export async function runCommandLine(program: Command): Promise<void> {
  try {
    await program.parseAsync()
  } catch (error) {
    // Commander has printed its own errors.
    if (!(error instanceof CommanderError)) process.stderr.write(`${messageOf(error)}\n`)
    const isHelp = error instanceof CommanderError && error.exitCode === 0
    process.exitCode = isHelp ? 0 : error instanceof UsageError || error instanceof CommanderError ? 2 : 1
  }
}

/** Reads a whole number of an option. @throws UsageError if it is not one, or less than `least` */
export const wholeNumber =
  (least = 0) =>
  (given: string): number => {
    if (!/^\d{1,9}$/.test(given) || Number(given) < least)
      throw new UsageError(`${given} is not a whole number from ${least} on.`, "Correct it.")
    return Number(given)
  }

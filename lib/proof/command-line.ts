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

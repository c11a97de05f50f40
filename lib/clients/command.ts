import { words } from "../base/shell.ts"
import { FailureError } from "../failures/errors.ts"
import type { CommandFailed } from "../failures/failure.ts"
import type { Machine, RunOptions } from "../machines/machine.ts"

/** A command that a person typed ended with another status than 0. */
class CommandFailedError extends FailureError<CommandFailed> {}

/** Types a line after the tool's name; resolves to what it printed, without the last line break. */
export type Command = (line: string, options?: RunOptions) => Promise<string>

/**
 * A tool as a person uses it on the machine.
 * @param timeout how long a command may take before it counts as hanging (milliseconds)
 * @param environment variables that tell it where to look, asked for at each call
 * @throws CommandFailedError with what it printed to standard error
 */
export function command(
  machine: Machine,
  tool: string,
  timeout: number,
  environment: () => Readonly<Record<string, string>> = () => ({}),
): Command {
  return async (line, options) => {
    const argv = [tool, ...words(line)]
    const { stdout, stderr, exitCode } = await machine.run(argv, {
      timeout,
      ...options,
      env: { ...environment(), ...options?.env },
    })
    if (exitCode === 0) return stdout.trimEnd()
    throw new CommandFailedError(
      { kind: "command-failed", argv, exitCode, stdout, stderr },
      "Type it yourself in: npx byhand shell",
    )
  }
}

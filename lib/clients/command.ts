import { words } from "../base/shell.ts"
import { FailureError } from "../failures/errors.ts"
import type { CommandFailed } from "../failures/failure.ts"
import type { Machine, RunOptions } from "../machines/machine.ts"

/** A command that a lesson ran ended with a status other than 0. */
class CommandFailedError extends FailureError<CommandFailed> {}

/** Runs the tool with the arguments in `line`. Resolves to the standard output, without trailing white space. */
export type Command = (line: string, options?: RunOptions) => Promise<string>

/**
 * A command-line tool on the machine, such as kubectl.
 * @param timeout the longest time that a command may take (milliseconds)
 * @param environment returns the environment variables for the tool; it is called before each command
 * @throws CommandFailedError with the standard error of the command
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
      `Run the command yourself in: ${machine.login ?? "npx byhand shell"}`,
    )
  }
}

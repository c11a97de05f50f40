import { RemediedError } from "../base/errors.ts"
import type { Machine, RunOptions } from "../machines/machine.ts"
import { words } from "../base/shell.ts"

/** A command that a person typed ended with another status than 0. */
export class CommandFailedError extends RemediedError {
  readonly exitCode: number
  constructor(problem: string, remedy: string, exitCode: number) {
    super(problem, remedy)
    this.exitCode = exitCode
  }
}

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
    const {
      stdout,
      stderr,
      exitCode,
      command: typed,
    } = await machine.run([tool, ...words(line)], { timeout, ...options, env: { ...environment(), ...options?.env } })
    if (exitCode === 0) return stdout.trimEnd()
    throw new CommandFailedError(
      `${typed} ended with status ${exitCode}: ${stderr.trim() || stdout.trim() || "it printed nothing"}.`,
      "Type it yourself in: npx byhand shell",
      exitCode,
    )
  }
}

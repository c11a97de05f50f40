import { nameOf, settingsOf, type CommonOptions } from "./options.ts"
import { theRun } from "./runs.ts"

/**
 * Runs a shell on the machine with this terminal, or one command if words are given.
 * @returns the exit status of the shell or the command
 */
export async function shell(words: readonly string[], options: CommonOptions): Promise<number> {
  const { enter } = await theRun(settingsOf(options), nameOf(options))
  const ignore = () => undefined
  process.on("SIGINT", ignore).on("SIGQUIT", ignore) // Ctrl-C is for the process on the machine.
  return enter(words.length > 0 ? words : ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"])
}

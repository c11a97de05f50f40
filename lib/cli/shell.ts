import { nameOf, settingsOf, type CommonOptions } from "./options.ts"
import { theRun } from "./runs.ts"

/**
 * A shell inside a machine, on this terminal, or one command where words are given.
 * @returns its exit status
 */
export async function shell(words: readonly string[], options: CommonOptions): Promise<number> {
  const { enter } = await theRun(settingsOf(options), nameOf(options))
  const ignore = () => undefined
  process.on("SIGINT", ignore).on("SIGQUIT", ignore) // Ctrl-C is for what runs in there.
  return enter(words.length > 0 ? words : ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"])
}

import { transcript as render } from "../curriculum/transcript/transcript.ts"
import { UsageError } from "../base/errors.ts"
import { isMachineName, MACHINES } from "../machines/network.ts"
import { settingsOf, type Outcome, type ShellOptions } from "./options.ts"

/** The whole workshop as a bash script: what is typed on one machine. */
export function transcript(options: ShellOptions): Promise<Outcome> {
  const { on } = options
  if (on !== undefined && !isMachineName(on))
    throw new UsageError(`No lesson has a machine ${on}.`, `Name one of ${Object.keys(MACHINES).join(", ")}.`)
  const { kubernetes } = settingsOf(options)
  const text = render(kubernetes, on)
  return Promise.resolve({ text, data: { kubernetes, script: text } })
}

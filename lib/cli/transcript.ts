import { transcript as render } from "../curriculum/transcript/transcript.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"

/** The whole workshop as a bash script. */
export function transcript(options: CommonOptions): Promise<Outcome> {
  const { kubernetes } = settingsOf(options)
  const text = render(kubernetes)
  return Promise.resolve({ text, data: { kubernetes, script: text } })
}

import type {} from "vitest/config" // Adds configureVitest to Vite's plugins.
import type { Vite } from "vitest/node"
import { messageOf, UsageError } from "../base/errors.ts"
import type { Settings } from "../base/settings.ts"
import { admitSelection } from "./admission.ts"
import { commandLine } from "./command-line.ts"
import type { Reader } from "./events.ts"
import { Preparation } from "./preparation.ts"
import { readersFor, type Output } from "./reporters.ts"
import { VitestAdapter } from "./vitest-adapter.ts"

/** The name of our reporters for vitest's --reporter flag and for its configuration. */
export const BYHAND = "byhand"

/** The options that a program can give to our reporters, as in reporters: [["byhand", { reader }]]. */
export type ByhandOptions = {
  /** Print nothing, and pass the events to this reader instead. */
  readonly reader?: Reader
  /** Pass the events to this reader too. */
  readonly alongside?: Reader
  /** Gets the reason if the run ends before it begins, because the host that is graded cannot be reached. */
  readonly onRefused?: (reason: string) => Promise<void>
} // A type, not an interface, because vitest requires the options to be a Record.

/**
 * Does what every run of the lessons needs, whichever reporters the user chooses: refuses files, tags and titles that
 * do not exist, prepares the machine, sets the exit status, and replaces the reporter named "byhand" by our readers.
 */
export function byhandPlugin(settings: Settings): Vite.Plugin {
  return {
    name: BYHAND,
    configureVitest({ vitest }) {
      const { config } = vitest
      try {
        admitSelection({ files: commandLine().files, ...config, tags: config.tags.map(({ name }) => name) })
      } catch (error) {
        process.stderr.write(`${messageOf(error)}\n`)
        process.exit(error instanceof UsageError ? 2 : 1)
      }
      // vitest creates the reporters after this hook; its documentation names this list as the place to add one.
      const ours = config.reporters.find((reporter) => Array.isArray(reporter) && reporter[0] === BYHAND)
      const { output, reader: own, onRefused } = outputOf(ours)
      const readers = [...readersFor(settings, output), ...(own === undefined ? [] : [own])]
      config.reporters = [
        new Preparation(settings, onRefused),
        ...config.reporters.filter((reporter) => reporter !== ours),
        // After the other reporters, so that the closing line is the last line.
        new VitestAdapter(settings, (event) => {
          for (const reader of readers) reader(event)
        }),
      ]
    },
  }
}

function outputOf(reporter: unknown): {
  output: Output
  reader?: Reader | undefined
  onRefused?: ByhandOptions["onRefused"]
} {
  if (!Array.isArray(reporter)) return { output: "none" } // vitest's own reporters use standard output.
  const options = reporter[1] as ByhandOptions | undefined // What the configuration gave, or an empty object.
  const onRefused = options?.onRefused
  if (options?.reader !== undefined) return { output: "none", reader: options.reader, onRefused }
  return { output: "people", reader: options?.alongside, onRefused }
}

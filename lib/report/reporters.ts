import type { Settings } from "../base/settings.ts"
import type { Reader } from "./events.ts"
import { gitHub } from "./github.ts"
import { targetReader } from "./target-reader.ts"
import { isOutputTaken, targetsFor } from "./targets.ts"
import { standardOutput, terminal } from "./terminal.ts"

/** What standard output is for: people, or not for us, because vitest's own reporters use it. */
export type Output = "people" | "none"

/**
 * Assembles the readers of a run, for `npx vitest run` and `byhand grade` alike.
 * @throws UsageError if BYHAND_FORMAT is wrong
 */
export function readersFor(settings: Settings, output: Output): Reader[] {
  const targets = targetsFor(settings)
  const isForPeople = output === "people" && !isOutputTaken(targets)
  const github = isForPeople ? gitHub(settings) : undefined
  return [
    ...(isForPeople ? [terminal(standardOutput(), settings.see)] : []),
    ...(github === undefined ? [] : [github]),
    // After the lines for people: Autolab reads the last line.
    ...(targets.length === 0 ? [] : [targetReader(targets, settings.student)]),
  ]
}

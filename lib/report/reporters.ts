import type { Settings } from "../base/settings.ts"
import type { Reader } from "./events.ts"
import { gitHub } from "./github.ts"
import { resultAsJson, resultInFile } from "./result-file.ts"
import { standardOutput, terminal } from "./terminal.ts"

/**
 * What standard output is for: people, programs (the result as JSON), or neither, because vitest's own reporters use
 * it.
 */
export type Output = "people" | "json" | "none"

/** Assembles the readers of a run, for `npx vitest run` and `byhand grade` alike. */
export function readersFor(settings: Settings, output: Output): Reader[] {
  const github = output === "people" ? gitHub(settings) : undefined
  return [
    ...(output === "people" ? [terminal(standardOutput(), settings.see)] : []),
    ...(output === "json" ? [resultAsJson((text) => process.stdout.write(text))] : []),
    ...(github === undefined ? [] : [github]),
    ...(settings.result === undefined ? [] : [resultInFile(settings.result)]),
  ]
}

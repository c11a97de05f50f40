import type { Reporter, TestSpecification } from "vitest/node"
import { messageOf, UsageError } from "../base/errors.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import type { Settings } from "../base/settings.ts"
import { prepareArtifacts } from "../clusters/artifacts.ts"
import { componentNames } from "../components/registry.ts"
import { lessonOf } from "../curriculum/lessons.ts"
import { makeRunsDir } from "../machines/admission.ts"
import { chooseProvider } from "../machines/providers.ts"
import { emptyResultFile } from "./result-file.ts"

/**
 * Before the first lesson starts: prepares the machine and the binaries that the chosen lessons need, with progress on
 * standard error, and hands them to the test process. It is a reporter because vitest passes the chosen files
 * to reporters only. byhandPlugin adds it to every run, whichever reporters the user names.
 */
export class Preparation implements Reporter {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    const settings = this.#settings
    try {
      if (settings.result !== undefined) emptyResultFile(settings.result, `BYHAND_RESULT=${settings.result}`)
      makeRunsDir(settings)
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`)
      process.exit(error instanceof UsageError ? 2 : 1)
    }
    // A learner's scripts can start any component, whichever lessons are graded.
    const names =
      settings.subject === undefined
        ? [...new Set(specifications.flatMap(({ moduleId }) => lessonOf(moduleId)?.components ?? componentNames))]
        : componentNames
    const progress = terminalProgress()
    const prepare = async () => {
      const provider = await chooseProvider(settings)
      await provider.prepare(progress)
      return { artifacts: await prepareArtifacts(names, settings, progress), machine: provider.kind }
    }
    const preparation = await prepare().catch((error: unknown) => ({ failed: messageOf(error) }))
    for (const { project } of specifications) project.provide("preparation", preparation)
  }
}

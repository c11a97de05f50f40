import type { Reporter, TestSpecification } from "vitest/node"
import { prepareArtifacts } from "../clusters/artifacts.ts"
import { componentNames } from "../components/registry.ts"
import { neededBy } from "../curriculum/needs.ts"
import { messageOf } from "../base/errors.ts"
import { chooseProvider } from "../machines/providers.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import type { Settings } from "../base/settings.ts"

/** The lesson that a file holds, by its name; the last one where it has no number. */
export function lessonOf(path: string): number {
  return Number(/(\d+)-[^/]*$/.exec(path)?.[1] ?? Number.MAX_SAFE_INTEGER)
}

/** Gets ready what the chosen lessons need, on the terminal, before the first of them starts. vitest tells only reporters which were chosen. */
export class Preparation implements Reporter {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    // The scripts of a learner may start any component, whichever lessons are graded.
    const names =
      this.#settings.subject === undefined
        ? neededBy(Math.max(...specifications.map(({ moduleId }) => lessonOf(moduleId))))
        : componentNames
    const progress = terminalProgress()
    const prepare = async () => {
      const provider = await chooseProvider(this.#settings)
      await provider.prepare(progress)
      return { artifacts: await prepareArtifacts(names, this.#settings, progress), machine: provider.kind }
    }
    const preparation = await prepare().catch((error: unknown) => ({ failed: messageOf(error) }))
    for (const { project } of specifications) project.provide("preparation", preparation)
  }
}

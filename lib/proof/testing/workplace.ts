import { randomBytes } from "node:crypto"
import { chmod, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { prepareArtifacts, type Artifacts, type Needed } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import { readSettings, type Settings } from "../../base/settings.ts"
import { census, type Census } from "./census.ts"

/** Folders in which a test can run machines without an effect on other runs. */
export interface Workplace extends AsyncDisposable {
  readonly folder: string
  readonly settings: Settings
  /** A name for machines. It is different in each workplace. */
  readonly name: string
  census(known?: readonly string[]): Promise<Census>
  /** Repeats the census until it is as expected. Returns the last census if it never is. */
  censusLike(expected: Census, known?: readonly string[]): Promise<Census>
}

/** @param variables further settings, besides the folders */
export async function workplace(variables: Record<string, string> = {}): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), "byhand-test-"))
  await chmod(folder, 0o755) // An ordinary user must be able to reach its own folders in here.
  const settings = readSettings({
    BYHAND_RUNS: join(folder, "runs"),
    BYHAND_CACHE: join(folder, "cache"),
    ...variables,
  })
  const name = `t${randomBytes(3).toString("hex")}`
  const count = (known: readonly string[] = []) => census({ runsDir: settings.runsDir, names: [name] }, known)
  return {
    folder,
    settings,
    name,
    census: count,
    censusLike: async (expected, known) => {
      const deadline = performance.now() + 20_000
      for (;;) {
        const found = await count(known)
        if (JSON.stringify(found) === JSON.stringify(expected) || performance.now() > deadline) return found
        await sleep(50)
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

/**
 * The real binaries and images that components need, from the project's own cache.
 * @param names the components and judges; by default all components
 */
export function artifacts(names: readonly Needed[] = componentNames): Promise<Artifacts> {
  return prepareArtifacts(names, readSettings(), silentProgress)
}

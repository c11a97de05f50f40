import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { silentProgress } from "../../base/progress-silent.ts"
import type { Settings } from "../../base/settings.ts"
import { folderInCache } from "../../binaries/cache.ts"
import { unpackDebianPackages } from "../../binaries/debian.ts"
import { resolveBinaries } from "../../binaries/resolve.ts"
import { groupOf, releaseFor, type ToolName } from "../../binaries/versions.ts"
import type { Machine } from "../../machines/machine.ts"

/** Programs that take the place of the project's own of the same name: a Debian package's, or another version's. */
export type Brought =
  | { readonly package: string; readonly program: string }
  | { readonly kubernetes: string; readonly tools: readonly ToolName[] }

/** Puts the programs into the first folder of PATH. The project's own programs are not changed. */
export async function bring(machine: Machine, brought: Brought, settings: Settings): Promise<void> {
  for (const path of await pathsOf(brought, settings))
    await machine.write(`/usr/local/sbin/${basename(path)}`, await readFile(path), 0o755)
}

async function pathsOf(brought: Brought, settings: Settings): Promise<string[]> {
  if ("kubernetes" in brought) {
    const { kubernetes, tools } = brought
    const binaries = await resolveBinaries(tools, { ...settings, kubernetes }, silentProgress)
    return [...binaries.values()].map(({ path }) => path)
  }
  const folder = join(settings.cacheDir, "sabotage", brought.package)
  const path = join(folder, brought.program)
  if (!existsSync(path)) await unpackDebianPackages([brought.package], folder, settings)
  return [path]
}

/** Whether the cache has the programs, or can have them within seconds. Another version may take minutes to build. */
export function isAtHand(brought: Brought | undefined, settings: Settings): boolean {
  if (brought === undefined || !("kubernetes" in brought)) return true
  const release = releaseFor(brought.kubernetes)
  return brought.tools.every((tool) => {
    const group = groupOf(tool)
    return existsSync(join(folderInCache(settings, group, release[group]), tool))
  })
}

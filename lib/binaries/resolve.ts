import { RemediedError } from "../errors.ts"
import type { Progress } from "../progress.ts"
import type { Settings } from "../settings.ts"
import { cache } from "./cache.ts"
import { debianPackages } from "./debian-packages.ts"
import { namedFolder } from "./folder.ts"
import { goModules } from "./go-modules.ts"
import { officialRelease } from "./official-release.ts"
import { searchPath } from "./search-path.ts"
import { inOrder, type Binary, type Miss } from "./source.ts"
import { groupOf, knownVersions, releaseFor, type ToolName } from "./versions.ts"

export type { Binary } from "./source.ts"
export type Binaries = ReadonlyMap<ToolName, Binary>

/** No source has a tool that is needed. */
export class NoBinaryError extends RemediedError {
  constructor(tools: readonly string[], misses: readonly Miss[]) {
    const tried = misses.map(({ source, why }) => `\n  ${source}: ${why}`)
    super(`There is no ${tools.join(", no ")} to be had here. Tried:${[...new Set(tried)].join("")}\n`,
      "Put the programs into a folder and name it in BYHAND_BIN_DIR, or name a mirror of the release hosts in BYHAND_MIRROR, "
      + `or install Go and let it reach its module proxy. Kubernetes versions with everything pinned: ${knownVersions.join(", ")}.`)
  }
}

const sources = [namedFolder, searchPath, cache([officialRelease, goModules, debianPackages])]

/**
 * Finds every tool in the first source that has it: the folder that the user names, PATH, the cache, the official
 * release, Go modules, Debian packages. What is downloaded or built is kept in the cache.
 * @throws NoBinaryError with every source that was tried, UsageError for an unknown version or a program of the user's that cannot be run
 */
export async function resolveBinaries(names: readonly ToolName[], settings: Settings, progress: Progress): Promise<Binaries> {
  const release = releaseFor(settings.kubernetes)
  const groups = [...new Set(names.map(groupOf))]
  const answers = await Promise.allSettled(groups.map((group) =>
    inOrder(sources, { group, version: release[group], tools: names.filter((name) => groupOf(name) === group), settings, progress }, "")))

  const binaries = new Map<ToolName, Binary>()
  const missing: string[] = []
  const misses: Miss[] = []
  for (const [index, answer] of answers.entries()) {
    if (answer.status === "rejected") throw answer.reason
    for (const binary of answer.value.found) binaries.set(binary.name, binary)
    const without = names.filter((name) => groupOf(name) === groups[index] && !binaries.has(name))
    if (without.length === 0) continue
    missing.push(...without.map((name) => `${name} ${release[groupOf(name)]}`))
    misses.push(...answer.value.misses)
  }
  if (missing.length > 0) throw new NoBinaryError(missing, misses)
  return binaries
}

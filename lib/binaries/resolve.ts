import { RemediedError } from "../base/errors.ts"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
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

/** No source has a required tool. */
export class NoBinaryError extends RemediedError {
  constructor(tools: readonly string[], misses: readonly Miss[]) {
    const tried = misses.map(({ source, why }) => `\n  ${source}: ${why}`)
    super(
      `No source has ${tools.join(", ")}. Tried:${[...new Set(tried)].join("")}\n`,
      "Put the programs into a folder and name it in BYHAND_BIN_DIR, or name a mirror of the official releases in BYHAND_MIRROR, " +
        `or install Go and give it access to its module proxy. Kubernetes versions that can be built: ${knownVersions.join(", ")}.`,
    )
  }
}

const sources = [namedFolder, searchPath, cache([officialRelease, goModules, debianPackages])]

/**
 * Finds each tool in the first source that has it: BYHAND_BIN_DIR, PATH, the cache, the official release, Go modules,
 * Debian packages. Downloads and builds are kept in the cache.
 * @throws NoBinaryError with every source that was tried, UsageError for an unknown version or a program in
 * BYHAND_BIN_DIR that cannot be run
 */
export async function resolveBinaries(
  names: readonly ToolName[],
  settings: Settings,
  progress: Progress,
): Promise<Binaries> {
  const release = releaseFor(settings.kubernetes)
  const wanted = [...new Set(names)]
  const answers = await Promise.allSettled(
    [...new Set(wanted.map(groupOf))].map(async (group) => {
      const tools = wanted.filter((name) => groupOf(name) === group)
      const { found, misses } = await inOrder(
        sources,
        { group, version: release[group], tools, settings, progress },
        "",
      )
      return { found, misses: found.length < tools.length ? misses : [] }
    }),
  )

  const binaries = new Map<ToolName, Binary>()
  const misses: Miss[] = []
  for (const answer of answers) {
    if (answer.status === "rejected") throw answer.reason
    for (const binary of answer.value.found) binaries.set(binary.name, binary)
    misses.push(...answer.value.misses)
  }
  const missing = wanted.filter((name) => !binaries.has(name))
  if (missing.length > 0)
    throw new NoBinaryError(
      missing.map((name) => `${name} ${release[groupOf(name)]}`),
      misses,
    )
  return binaries
}

import { existsSync } from "node:fs"
import { rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { unpackDebianPackages } from "../../binaries/debian.ts"
import { withLock } from "../../binaries/lock.ts"
import type { Progress } from "../../base/progress.ts"
import type { Settings } from "../../base/settings.ts"

/** Debian packages that tests use. */
export interface TestPackages {
  readonly names: readonly string[]
  /** The folder in the cache into which they are unpacked. */
  readonly folder: string
  /** What they are, for people. */
  readonly title: string
}

/** The folder with unpacked Debian packages. They are downloaded once, and kept in the cache. */
export async function unpackedOnce(
  { names, folder: inCache, title }: TestPackages,
  settings: Settings,
  progress: Progress,
): Promise<string> {
  const folder = join(settings.cacheDir, inCache)
  if (existsSync(folder)) return folder
  return withLock(
    `${folder}.lock`,
    (taken) => progress.task(`Waiting for another run, which is fetching ${title}`, () => taken),
    async () => {
      if (existsSync(folder)) return folder
      await rm(`${folder}.work`, { recursive: true, force: true })
      await progress.task(`Fetching ${title}`, () => unpackDebianPackages(names, `${folder}.work`, settings))
      await rename(`${folder}.work`, folder)
      return folder
    },
  )
}

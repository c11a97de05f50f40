import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { lstat, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import { ifUnlocked, withLock } from "./lock.ts"

/** The beginning of the name of a folder that is being removed. */
const REMOVED = ".go-"

/** The folder with Go's module cache and build cache. */
export function goFolder({ cacheDir }: Pick<Settings, "cacheDir">): string {
  return join(cacheDir, "go")
}

/**
 * Runs a build that uses Go's caches. Several processes may build at the same time; none of them removes the caches.
 */
export function withGoCaches<T>(settings: Pick<Settings, "cacheDir">, build: () => Promise<T>): Promise<T> {
  return withLock(lockOf(settings), (taken) => taken, build, "shared")
}

/**
 * Removes Go's caches. After a build, only the binaries are needed; the caches are ten times as large.
 * @returns whether they are removed; false if another process builds with them now
 */
export async function removeGoCaches(settings: Pick<Settings, "cacheDir">, progress: Progress): Promise<boolean> {
  const removed = await ifUnlocked(lockOf(settings), async () => {
    const folder = goFolder(settings)
    // A folder that is removed in part would break the next build. Renaming it is one step.
    if ((await lstat(folder).catch(() => undefined)) !== undefined)
      await rename(folder, join(settings.cacheDir, `${REMOVED}${randomBytes(3).toString("hex")}`))
    return true
  })
  for (const left of await readdir(settings.cacheDir)) {
    if (!left.startsWith(REMOVED)) continue
    const path = join(settings.cacheDir, left)
    await progress.task("Removing Go's module and build caches", async () => {
      // Go makes the folders of modules read-only.
      await execa("chmod", ["-R", "u+w", path], { reject: false })
      await rm(path, { recursive: true, force: true })
    })
  }
  return removed ?? false
}

function lockOf({ cacheDir }: Pick<Settings, "cacheDir">): string {
  return join(cacheDir, "go.lock")
}

import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { readdir, readFile, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import { removeGoCaches } from "./go-caches.ts"
import { ifUnlocked } from "./lock.ts"
import { isSupported } from "./versions.ts"

/** What an entry of the cache folder contains, for people to read, by its name. */
const KINDS: Readonly<Record<string, string>> = {
  bin: "binaries",
  images: "images of Pods",
  container: "image of machines",
  go: "Go's module and build caches",
  apt: "lists of Debian packages",
  modules: "compiled tests",
  logs: "logs of the last runs",
}

/** A part of the cache and its size in bytes. */
export interface Part {
  readonly kind: string
  readonly bytes: number
}

/** The sizes of the cache by kind, the largest first. */
export async function inventory({ cacheDir }: Pick<Settings, "cacheDir">): Promise<Part[]> {
  const sizes = new Map<string, number>()
  const entries = await readdir(cacheDir).catch(() => [])
  for (const entry of entries) {
    const kind = entry.startsWith(".go-") ? KINDS["go"] : KINDS[entry]
    const [bytes = 0] = await sizesOf([join(cacheDir, entry)])
    sizes.set(kind ?? "other", (sizes.get(kind ?? "other") ?? 0) + bytes)
  }
  return [...sizes]
    .map(([kind, bytes]) => ({ kind, bytes }))
    .filter(({ bytes }) => bytes > 0)
    .toSorted((a, b) => b.bytes - a.bytes)
}

/** What was pruned, and what was not because a process uses it. */
export interface Pruned {
  readonly before: number
  readonly after: number
  readonly inUse: readonly string[]
}

/**
 * Removes from the cache what no later run needs: Go's caches, lists of Debian packages, the remains of builds that
 * were killed, and binaries of versions that are not supported any more.
 * @param isAll also removes the other binaries and images, which the next run fetches or builds again
 */
export async function prune(
  settings: Pick<Settings, "cacheDir" | "runsDir">,
  isAll: boolean,
  progress: Progress,
): Promise<Pruned> {
  const { cacheDir } = settings
  const inUse: string[] = []
  const before = await totalOf(settings)
  if (before > 0 && !(await removeGoCaches(settings, progress))) inUse.push(join(cacheDir, "go"))
  await rm(join(cacheDir, "apt"), { recursive: true, force: true })
  const mounted = await mountedFiles(settings)
  const isMounted = (path: string) => mounted.some((file) => file === path || file.startsWith(`${path}/`))
  for (const name of await readdir(join(cacheDir, "bin")).catch(() => [])) {
    if (name.endsWith(".lock")) continue
    const folder = join(cacheDir, "bin", name)
    const doomed = isAll || !isSupported(name) ? folder : join(folder, ".work")
    if (isMounted(doomed) || !(await removeUnlocked(doomed, `${folder}.lock`))) inUse.push(doomed)
  }
  if (isAll)
    for (const name of await readdir(join(cacheDir, "images")).catch(() => [])) {
      const archive = /^\.?(.*\.tar)(\.json|\.verified)?$/.exec(name)?.[1]
      if (archive === undefined) continue
      const path = join(cacheDir, "images", archive)
      if (isMounted(path) || !(await removeUnlocked(join(cacheDir, "images", name), `${path}.lock`))) inUse.push(path)
    }
  return { before, after: await totalOf(settings), inUse: [...new Set(inUse)] }
}

/** Removes a file or folder while no process fills it. @returns whether it is removed */
async function removeUnlocked(path: string, lock: string): Promise<boolean> {
  const removed = await ifUnlocked(lock, async () => {
    const doomed = `${path}.${randomBytes(3).toString("hex")}`
    await rename(path, doomed).catch(() => undefined) // There may be no such file.
    await rm(doomed, { recursive: true, force: true })
    return true
  })
  return removed ?? false
}

/**
 * The files of the cache that are mounted in a running machine. A mounted file that is removed disappears from the
 * machine too.
 */
async function mountedFiles({ cacheDir, runsDir }: Pick<Settings, "cacheDir" | "runsDir">): Promise<string[]> {
  // A process that cannot be read has ended, or it is of another user.
  const read = (path: string) => readFile(path, "utf8").catch(() => "")
  const runs = await readdir(runsDir).catch(() => [])
  const processes = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))
  const [binds, mounts] = await Promise.all([
    Promise.all(runs.map((run) => read(join(runsDir, run, "binds")))),
    Promise.all(processes.map((pid) => read(`/proc/${pid}/mountinfo`))),
  ])
  return [
    ...new Set([
      ...binds.flatMap((text) => text.split("\n").map((line) => line.split("\t")[0] ?? "")),
      // The fourth field is the path of the mounted file in its file system (man 5 proc).
      ...mounts.flatMap((text) => text.split("\n").map((line) => line.split(" ")[3] ?? "")),
    ]),
  ].flatMap((path) => {
    const [, below] = path.split(new RegExp(`^.*(?=/(?:bin|images)/[^/]+)`))
    return below === undefined ? [] : [join(cacheDir, below)]
  })
}

async function totalOf({ cacheDir }: Pick<Settings, "cacheDir">): Promise<number> {
  return (await sizesOf([cacheDir]))[0] ?? 0
}

async function sizesOf(paths: readonly string[]): Promise<number[]> {
  const { stdout } = await execa("du", ["-sk", ...paths], { reject: false })
  return stdout.split("\n").map((line) => Number(/^\d+/.exec(line)?.[0] ?? 0) * 1024)
}

import { chmod, mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { messageOf } from "../base/errors.ts"
import type { Settings } from "../base/settings.ts"
import { architecture } from "./architecture.ts"
import { forget, keep, lookAt } from "./kept.ts"
import { LockError, withLock } from "./lock.ts"
import { inOrder, type Answer, type Binary, type Order, type Source } from "./source.ts"
import { toolsIn, type GroupName, type ToolName } from "./versions.ts"

const source = "the cache"

/** Which of the requested tools are in the cache. */
interface Inventory {
  readonly intact: readonly Binary[]
  /** Paths of binaries whose digest differs from the recorded digest. */
  readonly corrupted: readonly string[]
}

/**
 * The cache as a source. On a cache miss it asks the makers and keeps the binaries that they make. Each group and
 * version has a folder for its binaries. Only one process at a time fills a folder. It works in a subfolder and then
 * moves the binaries into place.
 */
export function cache(makers: readonly Source[]): Source {
  return {
    async find(order) {
      const folder = folderInCache(order.settings, order.group, order.version)
      const { intact } = await look(folder, order.tools)
      const tools = without(order.tools, intact)
      if (tools.length === 0) return { found: intact, misses: [] }
      try {
        const filled = await locked(folder, order, () => fill(folder, { ...order, tools }, makers))
        return { found: [...intact, ...filled.found], misses: filled.misses }
      } catch (error) {
        if (!(error instanceof LockError) && !isFileError(error)) throw error
        return { found: intact, misses: [{ source, why: messageOf(error) }] }
      }
    },
  }
}

/** The folder for the binaries of a group in one version. */
export function folderInCache({ cacheDir }: Pick<Settings, "cacheDir">, group: GroupName, version: string): string {
  return join(cacheDir, "bin", `${group}-v${version}-${architecture}`)
}

/** Makes the missing binaries. The caller holds the lock. */
async function fill(folder: string, order: Order, makers: readonly Source[]): Promise<Answer> {
  // Look again, because another process can have filled the cache while this process waited for the lock.
  const { intact, corrupted } = await look(folder, order.tools)
  for (const path of corrupted) {
    order.progress.note(`${path} is corrupted: its digest is not the recorded one. It is replaced.`)
    await forget(path)
  }
  const tools = without(order.tools, intact)
  if (tools.length === 0) return { found: intact, misses: [] }

  const work = join(folder, ".work")
  await rm(work, { recursive: true, force: true }) // A process that was killed can have left files there.
  await mkdir(work, { recursive: true })
  try {
    const { found, misses } = await inOrder(makers, { ...order, tools }, work)
    const stored = await Promise.all(found.map((binary) => store(folder, binary)))
    return {
      found: [...intact, ...stored.filter(({ name }) => tools.includes(name))],
      misses: [{ source, why: `${folder} has no ${tools.join(", ")}` }, ...misses],
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Looks at the tools in the cache. A tool that is in neither list is missing. */
async function look(folder: string, tools: readonly ToolName[]): Promise<Inventory> {
  const intact: Binary[] = []
  const corrupted: string[] = []
  await Promise.all(
    tools.map(async (name) => {
      const path = join(folder, name)
      const kept = await lookAt(path)
      if (kept === "corrupted") corrupted.push(path)
      else if (kept !== "missing")
        intact.push({ name, path, version: kept["version"] ?? "", source: kept["source"] ?? "" })
    }),
  )
  return { intact, corrupted }
}

function without(tools: readonly ToolName[], binaries: readonly Binary[]): ToolName[] {
  return tools.filter((tool) => !binaries.some(({ name }) => name === tool))
}

async function store(folder: string, { path: from, ...binary }: Binary): Promise<Binary> {
  const path = join(folder, binary.name)
  await chmod(from, 0o755)
  await keep(from, path, { version: binary.version, source: binary.source })
  return { ...binary, path }
}

function locked<T>(folder: string, { group, version, progress }: Order, work: () => Promise<T>): Promise<T> {
  return withLock(
    `${folder}.lock`,
    (taken, owner) =>
      progress.task(
        `Waiting for ${owner === "" ? "another run" : `process ${owner}`}, which fetches ${toolsIn(group).join(", ")} ${version}`,
        () => taken,
      ),
    work,
  )
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "path" in error
}

import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { z } from "zod"
import { messageOf } from "../errors.ts"
import { architecture } from "./architecture.ts"
import { digestOf } from "./digest.ts"
import { LockError, withLock } from "./lock.ts"
import { inOrder, type Answer, type Binary, type Order, type Source } from "./source.ts"
import { toolsIn, type ToolName } from "./versions.ts"

const source = "the cache"

const Record = z.object({ sha256: z.string(), version: z.string(), source: z.string() })
type Record = z.infer<typeof Record>

/** What is in the cache of the tools that were asked for. */
interface Inventory {
  readonly intact: readonly Binary[]
  /** Paths of binaries whose digest is not the one that was recorded. */
  readonly corrupted: readonly string[]
}

/**
 * The cache, filled by makers where it does not have what is asked for. A folder for each group and version holds the
 * binaries; one process at a time makes what is missing there, in a work folder beside them, and moves it in.
 */
export function cache(makers: readonly Source[]): Source {
  return {
    async find(order) {
      const folder = join(order.settings.cacheDir, "bin", `${order.group}-v${order.version}-${architecture}`)
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

/** Makes what is missing; called by one process at a time. */
async function fill(folder: string, order: Order, makers: readonly Source[]): Promise<Answer> {
  const { intact, corrupted } = await look(folder, order.tools) // Again: others may have been here while this one waited.
  for (const path of corrupted) {
    order.progress.note(`${path} is corrupted: it is not what was put there. It is replaced.`)
    await forget(path)
  }
  const tools = without(order.tools, intact)
  if (tools.length === 0) return { found: intact, misses: [] }

  const work = join(folder, ".work")
  await rm(work, { recursive: true, force: true }) // Whatever lies in there is of a process that was killed.
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

/** Takes stock of the tools; those that are neither intact nor corrupted are not there. */
async function look(folder: string, tools: readonly ToolName[]): Promise<Inventory> {
  const intact: Binary[] = []
  const corrupted: string[] = []
  await Promise.all(tools.map(async (name) => {
    const path = join(folder, name)
    const record = await readRecord(path)
    const state = await stateOf(path)
    if (record === undefined || state === undefined) return
    if (await isIntact(path, state, record.sha256)) intact.push({ name, path, version: record.version, source: record.source })
    else corrupted.push(path)
  }))
  return { intact, corrupted }
}

function without(tools: readonly ToolName[], binaries: readonly Binary[]): ToolName[] {
  return tools.filter((tool) => !binaries.some(({ name }) => name === tool))
}

/** Moves a binary in; whoever looks meanwhile sees nothing, or all of it. */
async function store(folder: string, binary: Binary): Promise<Binary> {
  const path = join(folder, binary.name)
  await chmod(binary.path, 0o755)
  const record: Record = { sha256: await digestOf(binary.path), version: binary.version, source: binary.source }
  await forget(path)
  await rename(binary.path, path)
  await writeWhole(recordPath(path), JSON.stringify(record))
  await writeWhole(markPath(path), `${await stateOf(path) ?? ""} ${record.sha256}`)
  return { ...binary, path }
}

/** Removes a binary, its record first: what has no record is not there. */
async function forget(path: string): Promise<void> {
  await rm(recordPath(path), { force: true })
  await rm(path, { force: true })
}

/**
 * Whether the file's digest is the recorded one. Hashing all binaries takes 0.4 to 1.4 s (500 MB), too much for every
 * start; so it is done once for each boot and state of the file: its change time, which the kernel sets at every
 * write and no program can, tells that it was written to, and a file that rotted on disk is read anew after a boot.
 */
async function isIntact(path: string, state: string, sha256: string): Promise<boolean> {
  const mark = `${state} ${sha256}`
  if (await readFile(markPath(path), "utf8").catch(() => "") === mark) return true
  if (await digestOf(path) !== sha256) return false
  await writeWhole(markPath(path), mark).catch(() => undefined) // A cache that cannot be written to is only slower.
  return true
}

/** Changes whenever the file does; undefined where there is none. */
async function stateOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, ctimeNs } = await stat(path, { bigint: true })
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${dev} ${ino} ${size} ${ctimeNs}`
  } catch {
    return undefined
  }
}

async function readRecord(path: string): Promise<Record | undefined> {
  try {
    return Record.parse(JSON.parse(await readFile(recordPath(path), "utf8")))
  } catch {
    return undefined // None, or half of one after a power cut: the binary is made again.
  }
}

function recordPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.json`)
}

function markPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.verified`)
}

async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.${randomUUID()}`
  await writeFile(part, text)
  await rename(part, path)
}

function locked<T>(folder: string, { group, version, progress }: Order, work: () => Promise<T>): Promise<T> {
  return withLock(`${folder}.lock`, (taken, owner) =>
    progress.task(`Waiting for ${owner === "" ? "another run" : `process ${owner}`}, which gets ${toolsIn(group).join(", ")} ${version}`, () => taken), work)
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "path" in error
}

import { createWriteStream } from "node:fs"
import { mkdir, readdir, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract } from "tar-stream"

/** Of how many runs logs are kept, as supervisor.sh keeps them. */
const KEPT_LOGS = 10

/**
 * Keeps a machine's logs, which come as a tar; nothing where there are none. Only files are taken, each by its name
 * alone: what was in a machine may be anything.
 * @param folder where they go; those of an earlier run of the same name make room
 */
export async function keepLogs(tar: Readable, folder: string): Promise<void> {
  const entries = extract()
  const unpacked = pipeline(tar, entries)
  let isFirst = true
  for await (const entry of entries) {
    const name = basename(entry.header.name)
    if (entry.header.type !== "file" || name === "" || name === "." || name === "..") {
      entry.resume()
      continue
    }
    if (isFirst) {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      isFirst = false
    }
    await pipeline(entry, createWriteStream(join(folder, name)))
  }
  await unpacked
  await forgetOldest(dirname(folder))
}

async function forgetOldest(logs: string): Promise<void> {
  const folders = await Promise.all(
    (await readdir(logs).catch(() => [])).map(async (name) => ({ name, time: (await stat(join(logs, name))).mtimeMs })),
  )
  const old = folders.toSorted((a, b) => b.time - a.time).slice(KEPT_LOGS)
  await Promise.all(old.map(({ name }) => rm(join(logs, name), { recursive: true, force: true })))
}

import { execa } from "execa"
import { createWriteStream } from "node:fs"
import { mkdir, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract } from "tar-stream"
import { scriptsFolder } from "../sandbox.ts"

/**
 * Keeps a machine's logs. Does nothing if there are none. Only regular files are unpacked, each under the last part of
 * its path, because the machine can put anything into the tar.
 * @param tar the logs
 * @param folder the target folder; the logs of an earlier run with the same name are removed
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
  await forgetOldLogs(dirname(folder))
}

/**
 * Removes old logs with the same script as a sandbox's supervisor, so that both keep the logs of the same number of
 * runs.
 */
async function forgetOldLogs(logs: string): Promise<void> {
  await execa("sh", ["-c", '. "$1"; forget_old_logs "$2"', "sh", join(scriptsFolder, "keep-logs.sh"), logs])
}

import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { z } from "zod"
import { digestOf } from "./digest.ts"

const Note = z.union([
  z.object({ sha256: z.string(), about: z.record(z.string(), z.string()) }),
  // The first format of a note. It is still read, so that binaries with a build time of ten minutes are not built
  // again.
  z
    .object({ sha256: z.string() })
    .catchall(z.string())
    .transform(({ sha256, ...about }) => ({ sha256, about })),
])

/** The state of a file in the cache: missing, corrupted, or intact. For an intact file, the notes about it. */
export type Kept = "missing" | "corrupted" | Readonly<Record<string, string>>

/**
 * Moves a file to a path in the cache, and writes its digest and notes about it beside it. Another process sees either
 * no file or the complete file. Only one process at a time may call this function for a path.
 * @param from a file on the same file system
 */
export async function keep(from: string, path: string, about: Readonly<Record<string, string>>): Promise<void> {
  const sha256 = await digestOf(from)
  await forget(path)
  await rename(from, path)
  await writeWhole(beside(path, "json"), JSON.stringify({ sha256, about }))
  await writeWhole(beside(path, "verified"), markOf((await stateOf(path)) ?? "", sha256))
}

/** Removes a file from the cache. Its note is removed first, because a file without a note counts as missing. */
export async function forget(path: string): Promise<void> {
  await rm(beside(path, "json"), { force: true })
  await rm(path, { force: true })
}

/**
 * Looks at a file in the cache. Computing its digest at every start would take seconds. So the digest is computed once
 * for each boot and state of the file. The kernel sets a file's change time at every write, and no program can set it
 * back. After each boot the file is read again, because data on disk can decay.
 */
export async function lookAt(path: string): Promise<Kept> {
  const note = await readNote(path)
  const state = await stateOf(path)
  if (note === undefined || state === undefined) return "missing"
  const mark = markOf(state, note.sha256)
  if ((await readFile(beside(path, "verified"), "utf8").catch(() => "")) === mark) return note.about
  if ((await digestOf(path)) !== note.sha256) return "corrupted"
  // Without this mark, only the next look is slower.
  await writeWhole(beside(path, "verified"), mark).catch(() => undefined)
  return note.about
}

/** A text that changes when the file changes. Undefined if there is no such file. */
async function stateOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, ctimeNs } = await stat(path, { bigint: true })
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${dev} ${ino} ${size} ${ctimeNs}`
  } catch {
    return undefined
  }
}

/** Records that the file in this state had this digest. */
function markOf(state: string, sha256: string): string {
  return `${state} ${sha256}`
}

async function readNote(path: string): Promise<z.infer<typeof Note> | undefined> {
  try {
    return Note.parse(JSON.parse(await readFile(beside(path, "json"), "utf8")))
  } catch {
    return undefined // There is no note, or only a part of it after a power failure. The file is made again.
  }
}

function beside(path: string, kind: string): string {
  return join(dirname(path), `.${basename(path)}.${kind}`)
}

async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.${randomUUID()}`
  await writeFile(part, text)
  await rename(part, path)
}

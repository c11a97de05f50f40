import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { z } from "zod"
import { digestOf } from "./digest.ts"

const Note = z.union([
  z.object({ sha256: z.string(), about: z.record(z.string(), z.string()) }),
  // As binaries were noted at first; what took ten minutes to build is not built again for that.
  z
    .object({ sha256: z.string() })
    .catchall(z.string())
    .transform(({ sha256, ...about }) => ({ sha256, about })),
])

/** What became of a file that was kept: missing, not what was put there, or intact, with what was noted about it. */
export type Kept = "missing" | "corrupted" | Readonly<Record<string, string>>

/**
 * Moves a file to a path in the cache, with its digest and notes about it beside it. Whoever looks meanwhile sees
 * nothing, or all of it. One process at a time.
 * @param from on the same file system
 */
export async function keep(from: string, path: string, about: Readonly<Record<string, string>>): Promise<void> {
  const sha256 = await digestOf(from)
  await forget(path)
  await rename(from, path)
  await writeWhole(beside(path, "json"), JSON.stringify({ sha256, about }))
  await writeWhole(beside(path, "verified"), markOf((await stateOf(path)) ?? "", sha256))
}

/** Removes a file that was kept, its note first: what has no note is not there. */
export async function forget(path: string): Promise<void> {
  await rm(beside(path, "json"), { force: true })
  await rm(path, { force: true })
}

/**
 * Looks at a file that was kept. Hashing takes seconds where there is much, too much for every start; so it is done once
 * for each boot and state of the file: its change time, which the kernel sets at every write and no program can, tells
 * that it was written to, and a file that rotted on disk is read anew after a boot.
 */
export async function lookAt(path: string): Promise<Kept> {
  const note = await readNote(path)
  const state = await stateOf(path)
  if (note === undefined || state === undefined) return "missing"
  const mark = markOf(state, note.sha256)
  if ((await readFile(beside(path, "verified"), "utf8").catch(() => "")) === mark) return note.about
  if ((await digestOf(path)) !== note.sha256) return "corrupted"
  await writeWhole(beside(path, "verified"), mark).catch(() => undefined) // A cache that cannot be written to is only slower.
  return note.about
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

/** Says of which content it was seen that the file in this state has it. */
function markOf(state: string, sha256: string): string {
  return `${state} ${sha256}`
}

async function readNote(path: string): Promise<z.infer<typeof Note> | undefined> {
  try {
    return Note.parse(JSON.parse(await readFile(beside(path, "json"), "utf8")))
  } catch {
    return undefined // None, or half of one after a power cut: the file is made again.
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

import { chmod, mkdir, open, realpath, symlink, writeFile } from "node:fs/promises"
import { dirname, join, posix } from "node:path"
import { gunzip } from "node:zlib"
import { extract } from "tar-stream"
import { messageOf } from "../base/errors.ts"
import { inflated, LARGEST, MOST, tooLarge } from "./limits.ts"
import { SubjectError } from "./subject-error.ts"
import { unzipped } from "./zip.ts"

/** What an archive contains at a path. */
export type Entry =
  | { readonly kind: "file"; readonly bytes: Buffer; readonly isExecutable: boolean }
  | { readonly kind: "link"; readonly target: string }

/** Whether the name of a file is that of an archive that can be unpacked. */
export function isArchive(name: string): boolean {
  return /\.(tar\.gz|tgz|zip)$/i.test(name)
}

/**
 * Unpacks what a student has handed in into an empty folder. Nothing is written outside of it.
 * @throws SubjectError if it is damaged or too large, or if something in it leads out of its folder
 */
export async function unpack(archive: string, folder: string): Promise<void> {
  const bytes = await read(archive)
  const isZip = /\.zip$/i.test(archive)
  try {
    // A tar file has up to 1 KiB more for each file than the files themselves.
    const inflate = () => inflated(gunzip, bytes, LARGEST + MOST * 1024)
    await lay(folder, isZip ? await fromZip(bytes) : await fromTar(await inflate()))
  } catch (error) {
    if (error instanceof SubjectError) throw error
    throw new SubjectError(`the archive is damaged: ${messageOf(error)}`, { cause: error })
  }
}

/** Unpacks a tar file in memory into an empty folder. @throws SubjectError as unpack does */
export async function unpackTar(bytes: Buffer, folder: string): Promise<void> {
  await lay(folder, await fromTar(bytes))
}

async function read(archive: string): Promise<Buffer> {
  const file = await open(archive)
  try {
    const { size } = await file.stat()
    if (size > LARGEST) throw tooLarge("the archive is larger than")
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/** Collects the entries of an archive, and refuses what no folder of scripts has. */
class Entries {
  readonly all = new Map<string, Entry>()
  #bytes = 0

  /** @param name as it is in the archive */
  add(name: string, entry: Entry): void {
    const path = within(name)
    if (entry.kind === "file") this.#bytes += entry.bytes.length
    if (this.#bytes > LARGEST) throw tooLarge()
    if (isIgnored(path)) return
    this.all.set(path, entry)
    if (this.all.size > MOST) throw new SubjectError(`the archive contains more than ${MOST} files`)
  }
}

/** What programs that pack add by themselves, and what no script needs. */
function isIgnored(path: string): boolean {
  return path === "." || path.split("/").some((part) => ["__MACOSX", ".git", "node_modules"].includes(part))
}

/**
 * The path of an entry, in a normal form.
 * @throws SubjectError if it leads out of the folder
 */
function within(name: string): string {
  if (/[\p{Cc}\\]/u.test(name))
    throw new SubjectError(`the archive contains a name with a backslash or control character: ${JSON.stringify(name)}`)
  if (posix.isAbsolute(name) || /^[a-z]:/i.test(name) || name.split("/").includes(".."))
    throw new SubjectError(`the archive contains ${name}, which leads out of its folder`)
  return posix.normalize(name).replace(/\/$/, "")
}

async function fromTar(bytes: Buffer): Promise<Map<string, Entry>> {
  const entries = new Entries()
  const tar = extract()
  tar.end(bytes)
  for await (const entry of tar) {
    const { name, type, linkname, mode } = entry.header
    const parts: Buffer[] = []
    for await (const part of entry) parts.push(part as Buffer) // Without an encoding, a stream has buffers.
    if (type === "directory") within(name)
    else if (type === "symlink") entries.add(name, { kind: "link", target: linkname ?? "" })
    else if (type === "link") entries.add(name, firstOf(entries, linkname ?? ""))
    else if (type === "file" || type === "contiguous-file")
      entries.add(name, { kind: "file", bytes: Buffer.concat(parts), isExecutable: ((mode ?? 0) & 0o100) !== 0 })
    else throw new SubjectError(`the archive contains ${name}, which is neither a file nor a folder (${type})`)
  }
  return entries.all
}

/** The file to which a hard link gives a second name. */
function firstOf({ all }: Entries, name: string): Entry {
  const first = all.get(within(name))
  if (first === undefined) throw new SubjectError(`the archive contains a hard link to ${name}, which is not in it`)
  return first
}

async function fromZip(bytes: Buffer): Promise<Map<string, Entry>> {
  const entries = new Entries()
  for (const { name, type, bytes: content, isExecutable } of await unzipped(bytes)) {
    if (type === "folder") within(name)
    else if (type === "link") entries.add(name, { kind: "link", target: content.toString() })
    else entries.add(name, { kind: "file", bytes: content, isExecutable })
  }
  return entries.all
}

/** Writes the files, and then the links: while files are written, there is no link that a path could follow. */
async function lay(folder: string, entries: ReadonlyMap<string, Entry>): Promise<void> {
  // Some file systems do not distinguish case.
  const leaves = new Set([...entries.keys()].map((path) => path.toLowerCase()))
  for (const path of entries.keys())
    for (let above = posix.dirname(path); above !== "."; above = posix.dirname(above))
      if (leaves.has(above.toLowerCase()))
        throw new SubjectError(`the archive contains ${above} both as a folder and as something else`)
  for (const [path, entry] of entries) {
    if (entry.kind !== "file") continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), entry.bytes)
    await chmod(join(folder, path), entry.isExecutable ? 0o755 : 0o644)
  }
  const links = [...entries].flatMap(([path, entry]) => (entry.kind === "link" ? [{ path, target: entry.target }] : []))
  for (const { path, target } of links) {
    const leadsTo = posix.join(posix.dirname(path), target)
    if (target === "" || posix.isAbsolute(target) || leadsTo.split("/").includes("..")) throw leadingOut(path, target)
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await symlink(target, join(folder, path))
  }
  const root = await realpath(folder)
  for (const { path, target } of links) {
    const real = await realpath(join(folder, path)).catch(() => undefined) // It leads nowhere, or in a circle.
    if (real !== undefined && real !== root && !real.startsWith(`${root}/`)) throw leadingOut(path, target)
  }
}

function leadingOut(path: string, target: string): SubjectError {
  return new SubjectError(`the archive contains ${path}, a link to ${target}, which leads out of its folder`)
}

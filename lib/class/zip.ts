import { crc32, inflateRaw } from "node:zlib"
import { inflated, LARGEST, MOST, tooLarge } from "./limits.ts"
import { SubjectError } from "./subject-error.ts"

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central directory)
// and 4.3.16 (its end).
const END = { signature: 0x06054b50, length: 22, longestComment: 0xffff }
const CENTRAL = { signature: 0x02014b50, length: 46 }
const LOCAL = { signature: 0x04034b50, length: 30 }
/** A number that does not fit into its field is in a ZIP64 field. Archives of scripts have none. */
const ZIP64 = 0xffffffff

const STORED = 0
const DEFLATED = 8
/** Hosts whose external attributes have a mode: Unix and macOS. */
const WITH_MODE = [3, 19]
const TYPE = { mask: 0o170000, link: 0o120000, folder: 0o040000, file: 0o100000, unknown: 0 }

/** An entry of a ZIP archive. */
interface ZipEntry {
  readonly name: string
  readonly type: "file" | "link" | "folder"
  /** Of a link: its target. */
  readonly bytes: Buffer
  readonly isExecutable: boolean
}

/**
 * Reads a ZIP archive.
 * @throws SubjectError if it contains more than it may, is encrypted, or uses a method that no usual program uses by
 *   itself
 * @throws Error if it is damaged
 */
export async function unzipped(archive: Buffer): Promise<ZipEntry[]> {
  const end = endOf(archive)
  const count = archive.readUInt16LE(end + 10)
  if (count > MOST) throw new SubjectError(`the archive contains more than ${MOST} files`)
  let at = archive.readUInt32LE(end + 16)
  let left = LARGEST
  const entries: ZipEntry[] = []
  for (let number = 0; number < count; number++) {
    if (at + CENTRAL.length > end || archive.readUInt32LE(at) !== CENTRAL.signature)
      throw new Error("its list of files is not complete")
    const nameLength = archive.readUInt16LE(at + 28)
    const isUtf8 = (archive.readUInt16LE(at + 8) & 0x800) !== 0
    const name = archive
      .subarray(at + CENTRAL.length, at + CENTRAL.length + nameLength)
      .toString(isUtf8 ? "utf8" : "latin1")
    const bytes = await contentOf(archive, at, name, left)
    left -= bytes.length
    entries.push({ name, bytes, ...kindOf(archive, at, name) })
    at += CENTRAL.length + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return entries
}

/** The offset of the end of the central directory: the last one whose comment ends where the archive ends. */
function endOf(archive: Buffer): number {
  const first = Math.max(0, archive.length - END.length - END.longestComment)
  for (let at = archive.length - END.length; at >= first; at--)
    if (
      archive.readUInt32LE(at) === END.signature &&
      at + END.length + archive.readUInt16LE(at + 20) === archive.length
    )
      return at
  throw new Error("it has no list of files at its end")
}

function kindOf(archive: Buffer, at: number, name: string): Pick<ZipEntry, "type" | "isExecutable"> {
  const hasMode = WITH_MODE.includes(archive.readUInt8(at + 5))
  const mode = hasMode ? archive.readUInt32LE(at + 38) >>> 16 : 0
  if (name.endsWith("/")) return { type: "folder", isExecutable: false }
  switch (mode & TYPE.mask) {
    case TYPE.link:
      return { type: "link", isExecutable: false }
    case TYPE.folder:
      return { type: "folder", isExecutable: false }
    case TYPE.file:
    case TYPE.unknown:
      // Windows has no such mode.
      return { type: "file", isExecutable: hasMode ? (mode & 0o100) !== 0 : name.endsWith(".sh") }
    default:
      throw new SubjectError(`the archive contains ${name}, which is neither a file nor a folder`)
  }
}

async function contentOf(archive: Buffer, at: number, name: string, left: number): Promise<Buffer> {
  const [flags, method] = [archive.readUInt16LE(at + 8), archive.readUInt16LE(at + 10)]
  const [checksum, packed, size] = [16, 20, 24].map((field) => archive.readUInt32LE(at + field)) as [
    number,
    number,
    number,
  ] // One number for each of three fields.
  const local = archive.readUInt32LE(at + 42)
  if ((flags & 1) !== 0) throw new SubjectError("the archive is encrypted")
  if ([packed, size, local].includes(ZIP64))
    throw new SubjectError("the archive is a ZIP64 archive; pack it as .tar.gz")
  if (method !== STORED && method !== DEFLATED)
    throw new SubjectError(
      `the archive contains ${name}, packed with an unusual method (${method}); pack it as .tar.gz`,
    )
  if (size > left) throw tooLarge()
  if (archive.readUInt32LE(local) !== LOCAL.signature) throw new Error(`${name} is not where the list says`)
  const begin = local + LOCAL.length + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
  const bytes = archive.subarray(begin, begin + packed)
  if (bytes.length !== packed) throw new Error(`${name} is cut off`)
  const content = method === STORED ? bytes : await inflated(inflateRaw, bytes, left)
  if (content.length !== size || crc32(content) !== checksum) throw new Error(`${name} has another checksum`)
  return content
}

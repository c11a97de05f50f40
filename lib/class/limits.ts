import { promisify } from "node:util"
import type { InputType, ZlibOptions } from "node:zlib"
import { SubjectError } from "./subject-error.ts"

const MIB = 2 ** 20
/** The largest archive (bytes), and the largest sum of what it contains. A folder of start scripts is small. */
export const LARGEST = 32 * MIB
/** The largest number of files in an archive. */
export const MOST = 5_000

/** An archive contains more than it may. */
export function tooLarge(what = "the archive contains more than"): SubjectError {
  return new SubjectError(`${what} ${LARGEST / MIB} MiB`)
}

/** A function of node:zlib that decompresses. */
type Decompress = (
  bytes: InputType,
  options: ZlibOptions,
  callback: (error: Error | null, result: Buffer) => void,
) => void

/**
 * Decompresses what an archive contains.
 * @param largest the largest size of the result, in bytes: the size that the archive names can be wrong
 * @throws SubjectError if the result is larger, the error of node:zlib if the bytes are damaged
 */
export async function inflated(decompress: Decompress, bytes: Buffer, largest: number): Promise<Buffer> {
  try {
    return await promisify<Buffer, ZlibOptions, Buffer>(decompress)(bytes, { maxOutputLength: Math.max(1, largest) })
  } catch (error) {
    if (error instanceof RangeError && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") throw tooLarge()
    throw error
  }
}

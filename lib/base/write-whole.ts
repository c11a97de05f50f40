import { randomBytes } from "node:crypto"
import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"

/**
 * Writes a file so that a reader sees the old content or the new content, never a part of either: also if this process
 * is killed meanwhile. A link is followed. What is not an ordinary file, such as /dev/stdout or a pipe, is written to.
 * @param mode the mode of a new file; by default that of the umask
 * @throws the error of the file system, if the file cannot be written
 */
export function writeWhole(file: string, text: string, mode?: number): void {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found !== undefined && !found.isFile()) {
    writeFileSync(file, text)
    return
  }
  const target = found === undefined ? file : realpathSync(file)
  const beside = `${target}.${randomBytes(4).toString("hex")}.tmp`
  try {
    const ownMode = found === undefined ? mode : found.mode & 0o777
    writeFileSync(beside, text, ownMode === undefined ? {} : { mode: ownMode })
    renameSync(beside, target)
  } catch (error) {
    rmSync(beside, { force: true })
    // Without permission for the folder, only the file itself can be written.
    if (found !== undefined && isRefusal(error)) writeFileSync(target, text)
    else throw error
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["EACCES", "EPERM", "EBUSY"].includes(String(error.code))
}

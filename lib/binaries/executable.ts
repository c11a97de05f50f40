import { access, constants, open, stat } from "node:fs/promises"

/** The two bytes in the header of an ELF file that contain its architecture (man 5 elf, e_machine). */
const MACHINE = { from: 18, to: 20 }

/** Why a file cannot be run, as the end of a sentence without its full stop. Undefined if no reason is found. */
export async function whyNotRunnable(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return "is a folder, not a program"
    await access(path, constants.X_OK)
    const [header, own] = await Promise.all([headerOf(path), headerOf(process.execPath)])
    if (header.length === 0) return "is empty"
    if (header.toString("latin1", 0, 2) === "#!") return undefined
    if (header.toString("latin1", 0, 4) !== "\x7fELF")
      return "is neither a program nor a script that names its interpreter"
    return header.subarray(MACHINE.from, MACHINE.to).equals(own.subarray(MACHINE.from, MACHINE.to))
      ? undefined
      : "is for another architecture than this host's"
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "ENOENT") return "is a link that leads nowhere"
    return code === "EACCES" ? "may not be run by this user: chmod +x may be missing" : undefined
  }
}

async function headerOf(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MACHINE.to), 0, MACHINE.to, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

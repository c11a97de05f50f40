import { execa } from "execa"
import { mkdir, statfs, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** A file system (tmpfs) for the folders of runs. Its size can be changed while runs use it. */
export class Disk implements AsyncDisposable {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** A size, in kilobytes, that is large enough for any run. */
  static readonly ample = 8 * 1024 * 1024

  /**
   * Mounts the disk. The caller needs root and a mount namespace that the host does not share.
   * @param folder where to mount it; it must not exist
   */
  static async mount(folder: string): Promise<Disk> {
    await mkdir(folder)
    await execa("mount", ["-t", "tmpfs", "-o", `mode=755,size=${Disk.ample}k`, "tmpfs", folder])
    // An empty tmpfs uses no block, folders included. `fill` would then set the size 0, which tmpfs takes for "no
    // limit",
    // and tmpfs refuses to get a limit back ("Cannot retroactively limit size"). One byte makes sure that a block is
    // used.
    await writeFile(join(folder, "ballast"), "x")
    return new Disk(folder)
  }

  /** @throws if more than this size is already used, or if `kilobytes` is 0 */
  async resize(kilobytes: number): Promise<void> {
    if (kilobytes <= 0)
      throw new RangeError("A tmpfs of size 0 has no limit, and the kernel does not allow to set a limit later.")
    await execa("mount", ["-o", `remount,size=${kilobytes}k`, this.folder])
  }

  /** Shrinks the disk to the size that is used, so that no space is free. */
  async fill(): Promise<void> {
    for (;;) {
      const { bsize, blocks, bfree } = await statfs(this.folder)
      // A run can write in the meantime, and the disk cannot be smaller than the used size. So try again.
      if (
        await this.resize(((blocks - bfree) * bsize) / 1024).then(
          () => true,
          () => false,
        )
      )
        return
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await execa("umount", ["--lazy", this.folder])
  }
}

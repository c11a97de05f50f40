import { execa } from "execa"
import { mkdir, statfs } from "node:fs/promises"

/** A file system of its own for runs, whose size can be changed under them. */
export class Disk implements AsyncDisposable {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** Room for any run. */
  static readonly ample = 8 * 1024 * 1024

  /** Needs a mount namespace that is nobody else's. */
  static async mount(folder: string): Promise<Disk> {
    await mkdir(folder)
    await execa("mount", ["-t", "tmpfs", "-o", `mode=755,size=${Disk.ample}k`, "tmpfs", folder])
    return new Disk(folder)
  }

  async resize(kilobytes: number): Promise<void> {
    await execa("mount", ["-o", `remount,size=${kilobytes}k`, this.folder])
  }

  /** Takes away all that is free. */
  async fill(): Promise<void> {
    for (;;) {
      const { bsize, blocks, bfree } = await statfs(this.folder)
      // Somebody may write in between: it cannot be smaller than what is used.
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

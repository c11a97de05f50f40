import { execa } from "execa"
import { join } from "node:path"
import { expect, test } from "vitest"
import { packageRoot } from "../../base/settings.ts"

const isRoot = process.getuid?.() === 0

/** Runs in its own mount namespace, so its mounts end when the script ends. */
const script = `
  import { mkdtempSync, mkdirSync, rmSync, statfsSync } from "node:fs"
  import { Disk } from ${JSON.stringify(join(packageRoot, "dist/proof/soak/disk.js"))}
  const folder = mkdtempSync("/tmp/byhand-disk-")
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  const disk = await Disk.mount(folder + "/disk")
  mkdirSync(disk.folder + "/runs/run", { recursive: true }) // Folders use no block of a tmpfs.
  await disk.fill()
  const full = statfsSync(disk.folder)
  await disk.resize(Disk.ample)
  await disk.resize(64)
  const small = statfsSync(disk.folder)
  await disk[Symbol.asyncDispose]()
  console.log(JSON.stringify({ free: full.bfree, small: small.blocks * small.bsize }))`

test.runIf(isRoot)("a disk that is filled before anything is written to it can be resized afterwards", async () => {
  const { stdout } = await execa("unshare", ["--mount", process.execPath, "--input-type=module", "--eval", script])
  expect(JSON.parse(stdout)).toEqual({ free: 0, small: 64 * 1024 })
})

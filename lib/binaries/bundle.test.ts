import { execa } from "execa"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { bundle } from "./bundle.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "byhand-bundle-"))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test("a program in one file needs no library of the host, and is unpacked once; its version leaves nothing behind", async () => {
  const program = (await execa("sh", ["-c", "readlink -f $(command -v sed)"])).stdout // Any program with libraries.
  const target = await bundle(program, folder, join(folder, "one"))
  expect(await readdir(folder)).toEqual(["one"])
  const { stdout } = await execa(target, ["--version"], { env: { TMPDIR: folder } })
  expect(stdout).toContain("sed")
  expect(await readdir(folder)).toEqual(["one"])
  const twice = `mount -t tmpfs tmpfs /run; for i in 1 2; do echo a | ${target} s/a/b/; done; ls /run`
  const inside = await execa("unshare", ["--user", "--map-root-user", "--mount", "sh", "-ec", twice])
  expect(inside.stdout).toMatch(/^b\nb\nbyhand-sed-[0-9a-f]{12}$/)
})

import { existsSync } from "node:fs"
import { mkdtemp, readdir, rm, stat, symlink } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { readSettings } from "../base/settings.ts"
import { DebianPackageError, unpackDebianPackages } from "./debian.ts"

const hostLists = "/var/lib/apt/lists"

describe.skipIf(!existsSync("/usr/bin/apt-get"))("Debian packages", () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "byhand-debian-"))
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true, force: true })
  })
  const unpack = (names: string[], into: string) =>
    unpackDebianPackages(names, join(folder, into), readSettings({ BYHAND_CACHE: join(folder, "cache") }))

  test("are unpacked by two callers at once, without existing package lists; the host's lists do not change", async () => {
    const before = await stat(hostLists)
    await Promise.all([unpack(["catatonit"], "one"), unpack(["busybox-static", "catatonit"], "two")])
    expect((await stat(join(folder, "one/usr/bin/catatonit"))).mode & 0o111).toBe(0o111)
    expect(existsSync(join(folder, "two/bin/busybox")) || existsSync(join(folder, "two/usr/bin/busybox"))).toBe(true)
    expect((await readdir(join(folder, "one"))).filter((name) => name.startsWith("."))).toEqual([])
    expect((await stat(hostLists)).mtimeMs).toBe(before.mtimeMs)
    expect((await readdir(join(folder, "cache/apt/lists"))).some((name) => name.includes("_Packages"))).toBe(true)
  })

  test("that do not exist are named in the error", async () => {
    await expect(unpack(["catatonit", "byhand-no-such-package"], "out")).rejects.toThrow(
      /there is no package byhand-no-such-package/,
    )
  })

  test("fail at once if the network refuses connections", async () => {
    vi.stubEnv("http_proxy", "http://127.0.0.1:9")
    vi.stubEnv("https_proxy", "http://127.0.0.1:9")
    const refused = unpack(["catatonit"], "out")
    await expect(refused).rejects.toThrow(DebianPackageError)
    await expect(refused).rejects.toThrow(/Debian's catatonit could not be downloaded: .*refused/)
  })

  test("fail on a host without apt-get, because it is not Debian", async () => {
    await symlink(process.execPath, join(folder, "node"))
    vi.stubEnv("PATH", folder)
    await expect(unpack(["catatonit"], "out")).rejects.toThrow("there is no apt-get, so this is not a Debian host")
  })
})

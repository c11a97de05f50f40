import { execa } from "execa"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { silentProgress } from "../base/progress-silent.ts"
import { architecture } from "./architecture.ts"
import { removeGoCaches, withGoCaches } from "./go-caches.ts"
import { inventory, prune } from "./inventory.ts"

let folder: string
let settings: { cacheDir: string; runsDir: string }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "byhand-inventory-"))
  settings = { cacheDir: join(folder, "cache"), runsDir: join(folder, "runs") }
  for (const path of [
    "go/mod/example.org/one@v1/one.go",
    "go/build/00/one-d",
    "apt/lists/one",
    "images/nginx.tar",
    "images/.nginx.tar.json",
    `bin/etcd-v3.7.3-${architecture}/etcd`,
    `bin/etcd-v3.7.3-${architecture}/.work/etcd`,
    `bin/etcd-v3.0.0-${architecture}/etcd`,
    `bin/kubernetes-v1.37.9-${architecture}/kubectl`,
    "logs/run/etcd.log",
  ])
    fill(join(settings.cacheDir, path))
  chmodSync(join(settings.cacheDir, "go/mod/example.org/one@v1"), 0o555) // As Go makes it.
})
afterEach(async () => {
  await execa("chmod", ["-R", "u+w", folder])
  rmSync(folder, { recursive: true })
})

function fill(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, "x".repeat(5000))
}

const has = (path: string) => existsSync(join(settings.cacheDir, path))

test("the inventory names each kind with its size", async () => {
  const kinds = (await inventory(settings)).map(({ kind }) => kind)
  expect(kinds).toEqual(expect.arrayContaining(["binaries", "images of Pods", "Go's module and build caches"]))
  for (const { bytes } of await inventory(settings)) expect(bytes).toBeGreaterThan(5000)
})

test("prune removes what no later run needs, and nothing else", async () => {
  const { before, after, inUse } = await prune(settings, false, silentProgress)
  expect(after).toBeLessThan(before)
  expect(inUse).toEqual([])
  for (const gone of ["go", "apt", `bin/etcd-v3.0.0-${architecture}`, `bin/etcd-v3.7.3-${architecture}/.work`])
    expect(has(gone), gone).toBe(false)
  for (const kept of [`bin/etcd-v3.7.3-${architecture}/etcd`, `bin/kubernetes-v1.37.9-${architecture}/kubectl`])
    expect(has(kept), kept).toBe(true)
  expect([has("images/nginx.tar"), has("logs/run/etcd.log")]).toEqual([true, true])
  expect(readdirSync(settings.cacheDir).filter((name) => name.startsWith(".go-"))).toEqual([])
})

test("prune --all also removes binaries and images, but not those of a machine", async () => {
  const etcd = join(settings.cacheDir, `bin/etcd-v3.7.3-${architecture}/etcd`)
  fill(join(settings.runsDir, "up-one", "binds"))
  writeFileSync(join(settings.runsDir, "up-one", "binds"), `${etcd}\t/usr/local/bin/etcd\n`)
  const { inUse } = await prune(settings, true, silentProgress)
  expect(inUse).toEqual([dirname(etcd)])
  expect(existsSync(etcd)).toBe(true)
  expect([has("images/nginx.tar"), has(`bin/kubernetes-v1.37.9-${architecture}`)]).toEqual([false, false])
})

test("Go's caches stay while any process builds with them, and are removed after the last build", async () => {
  await withGoCaches(settings, async () => {
    await withGoCaches(settings, async () => expect(await removeGoCaches(settings, silentProgress)).toBe(false))
    expect(await removeGoCaches(settings, silentProgress)).toBe(false)
    expect((await prune(settings, false, silentProgress)).inUse).toEqual([join(settings.cacheDir, "go")])
    expect(has("go/mod/example.org/one@v1/one.go")).toBe(true)
  })
  expect(await removeGoCaches(settings, silentProgress)).toBe(true)
  expect(has("go")).toBe(false)
})

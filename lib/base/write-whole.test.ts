import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { writeWhole } from "./write-whole.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "byhand-write-"))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

test("a file is replaced, keeps its mode, and nothing else is left", () => {
  const file = join(folder, "a")
  writeWhole(file, "one")
  chmodSync(file, 0o640)
  writeWhole(file, "two")
  expect(readFileSync(file, "utf8")).toBe("two")
  expect(statSync(file).mode & 0o777).toBe(0o640)
  expect(readdirSync(folder)).toEqual(["a"])
})

test("a link stays a link, and its target is replaced", () => {
  writeFileSync(join(folder, "target"), "one")
  symlinkSync("target", join(folder, "link"))
  writeWhole(join(folder, "link"), "two")
  expect(lstatSync(join(folder, "link")).isSymbolicLink()).toBe(true)
  expect(readFileSync(join(folder, "target"), "utf8")).toBe("two")
})

test("a pipe and a device are written to, and stay what they are", async () => {
  const pipe = join(folder, "pipe")
  execFileSync("mkfifo", [pipe])
  const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] })
  let text = ""
  reader.stdout.on("data", (part: Buffer) => void (text += part.toString()))
  writeWhole(pipe, "through")
  await once(reader, "close")
  expect(text).toBe("through")
  expect(statSync(pipe).isFIFO()).toBe(true)
  writeWhole("/dev/null", "nothing")
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true)
})

test("if it cannot be written, the old content stays, and nothing else is left", () => {
  expect(() => writeWhole(join(folder, "none", "a"), "x")).toThrow("ENOENT")
  expect(readdirSync(folder)).toEqual([])
})

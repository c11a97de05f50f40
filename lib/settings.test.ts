import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { UsageError } from "./errors.ts"
import { packageRoot, readSettings } from "./settings.ts"

test("defaults", () => {
  const { cacheDir, runsDir, ...rest } = readSettings({})
  expect(rest).toEqual({ kubernetes: "1.37.2", binDir: undefined, mirror: undefined, patience: 120_000, strict: false, except: [], privilege: "auto" })
  expect(cacheDir).toBe(join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "byhand"))
  expect(runsDir).toMatch(/^\/.*byhand-\d+$/)
})

test("values are read as people write them", () => {
  expect(readSettings({
    BYHAND_KUBERNETES: "v1.36.3", BYHAND_BIN_DIR: "lib", BYHAND_CACHE: "relative", BYHAND_RUNS: "/r", BYHAND_MIRROR: "http://mirror.example/",
    BYHAND_PATIENCE: "1.5", BYHAND_STRICT: "1", BYHAND_EXCEPT: "05, a title ,", BYHAND_PRIVILEGE: "user", PATH: "/bin",
  })).toEqual({
    kubernetes: "1.36.3", binDir: join(process.cwd(), "lib"), cacheDir: join(process.cwd(), "relative"), runsDir: "/r", mirror: "http://mirror.example",
    patience: 1_500, strict: true, except: ["05", "a title"], privilege: "user",
  })
  expect(readSettings({ BYHAND_STRICT: "0" }).strict).toBe(false)
})

describe("what is wrong is named, with what to do", () => {
  test.each([
    ["BYHAND_PATIENC", "5", "There is no setting BYHAND_PATIENC. Did you mean BYHAND_PATIENCE?"],
    ["BYHAND_PATIENCE", "soon", "BYHAND_PATIENCE=soon must be a number of seconds. Correct it, or unset it for the default."],
    ["BYHAND_PATIENCE", "0", "BYHAND_PATIENCE=0 must be more than 0. Correct it, or unset it for the default."],
    ["BYHAND_KUBERNETES", "1.37", "BYHAND_KUBERNETES=1.37 must be a version such as 1.37.2. Correct it, or unset it for the default."],
    ["BYHAND_BIN_DIR", "/not/here", "BYHAND_BIN_DIR=/not/here is not there. Correct it, or unset it for the default."],
    ["BYHAND_CACHE", "", "BYHAND_CACHE= is empty. Correct it, or unset it for the default."],
    ["BYHAND_MIRROR", "ftp://x", "BYHAND_MIRROR=ftp://x must be an http or https address. Correct it, or unset it for the default."],
    ["BYHAND_STRICT", "yes", "BYHAND_STRICT=yes must be 1 or 0. Correct it, or unset it for the default."],
    ["BYHAND_PRIVILEGE", "admin", "BYHAND_PRIVILEGE=admin must be auto, root, sudo or user. Correct it, or unset it for the default."],
  ])("%s=%s", (name, value, message) => {
    expect(() => readSettings({ [name]: value })).toThrow(new UsageError(...split(message)))
  })
})

test("the package's folder is where package.json lies", () => {
  expect(existsSync(join(packageRoot, "package.json"))).toBe(true)
})

/** The problem's sentence and the remedy's. */
function split(message: string): [string, string] {
  const at = message.lastIndexOf(message.includes("Did you") ? "Did you" : "Correct it")
  return [message.slice(0, at - 1), message.slice(at)]
}

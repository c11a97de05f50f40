import { existsSync, readFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, test, vi } from "vitest"
import { knownVersions } from "../binaries/versions.ts"
import { UsageError } from "./errors.ts"
import { packageRoot, readSettings, settingNames } from "./settings.ts"

test("defaults", () => {
  const { cacheDir, runsDir, ...rest } = readSettings({})
  expect(rest).toEqual({
    kubernetes: "1.37.2",
    binDir: undefined,
    mirror: undefined,
    patience: 60_000,
    strict: false,
    see: false,
    standIn: false,
    keepBuild: false,
    format: [],
    except: [],
    machine: "auto",
    privilege: "auto",
  })
  expect(cacheDir).toBe(join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "byhand"))
  expect(runsDir).toMatch(/^\/.*byhand-\d+$/)
})

test("values are read as people write them", () => {
  expect(
    readSettings({
      BYHAND_KUBERNETES: "v1.36.3",
      BYHAND_BIN_DIR: "lib",
      BYHAND_CACHE: "relative",
      BYHAND_RUNS: "/r",
      BYHAND_MIRROR: "http://mirror.example/",
      BYHAND_PATIENCE: "1.5",
      BYHAND_STRICT: "1",
      BYHAND_EXCEPT: "05, a title ,",
      BYHAND_MACHINE: "container",
      BYHAND_PRIVILEGE: "user",
      BYHAND_IMAGE: "example.org/course:1",
      PATH: "/bin",
    }),
  ).toEqual({
    kubernetes: "1.36.3",
    binDir: join(process.cwd(), "lib"),
    cacheDir: join(process.cwd(), "relative"),
    runsDir: "/r",
    mirror: "http://mirror.example",
    patience: 1_500,
    strict: true,
    see: false,
    standIn: false,
    keepBuild: false,
    format: [],
    except: ["05", "a title"],
    machine: "container",
    privilege: "user",
    image: "example.org/course:1",
  })
  expect(readSettings({ BYHAND_STRICT: "0" }).strict).toBe(false)
})

describe("what is wrong is named, with what to do", () => {
  test.each([
    ["BYHAND_PATIENC", "5", "There is no setting BYHAND_PATIENC. Did you mean BYHAND_PATIENCE?"],
    [
      "BYHAND_PATIENCE",
      "soon",
      "BYHAND_PATIENCE=soon must be a number of seconds. Correct it, or unset it for the default.",
    ],
    ["BYHAND_PATIENCE", "0", "BYHAND_PATIENCE=0 must be more than 0. Correct it, or unset it for the default."],
    [
      "BYHAND_KUBERNETES",
      "1.37",
      "BYHAND_KUBERNETES=1.37 must be a version such as 1.37.2. Correct it, or unset it for the default.",
    ],
    [
      "BYHAND_BIN_DIR",
      "/not/here",
      "BYHAND_BIN_DIR=/not/here does not exist. Correct it, or unset it for the default.",
    ],
    ["BYHAND_CACHE", "", "BYHAND_CACHE= is empty. Correct it, or unset it for the default."],
    [
      "BYHAND_MIRROR",
      "ftp://x",
      "BYHAND_MIRROR=ftp://x must be an http or https address. Correct it, or unset it for the default.",
    ],
    ["BYHAND_STRICT", "yes", "BYHAND_STRICT=yes must be 1 or 0. Correct it, or unset it for the default."],
    [
      "BYHAND_MACHINE",
      "podman",
      "BYHAND_MACHINE=podman must be auto, sandbox or container. Correct it, or unset it for the default.",
    ],
    [
      "BYHAND_IMAGE",
      "a b",
      "BYHAND_IMAGE=a b must be the name of an image, such as example.org/course:1. Correct it, or unset it for the default.",
    ],
    [
      "BYHAND_PRIVILEGE",
      "admin",
      "BYHAND_PRIVILEGE=admin must be auto, root, sudo, user or privileged. Correct it, or unset it for the default.",
    ],
  ])("%s=%s", (name, value, message) => {
    expect(() => readSettings({ [name]: value })).toThrow(new UsageError(...split(message)))
  })
})

describe("the README's table", () => {
  const rows = readFileSync(join(packageRoot, "README.md"), "utf8").matchAll(
    /^\| `(BYHAND_\w+)` \| (.*) \| ?(.*) \|$/gm,
  )
  const told = new Map(
    [...rows].map(([, name = "", meaning = "", value = ""]) => [name, { meaning, value: value.trim() }]),
  )

  test("has every setting, and no other", () => {
    expect([...told.keys()].toSorted()).toEqual([...settingNames].toSorted())
  })

  test.each([...told])("tells the default of %s", (name, { value }) => {
    const meant = value
      .replace(/^`byhand-UID` in the folder for temporary files$/, join(tmpdir(), `byhand-${process.getuid?.() ?? ""}`))
      .replace(/^`~\/\.cache\/byhand`$/, join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "byhand"))
    expect(readSettings(meant === "" ? {} : { [name]: meant })).toEqual(readSettings({}))
    // A default that is told as none must be none.
    const without = Object.entries(readSettings({}))
      .filter(([, set]) => set === undefined || (Array.isArray(set) && set.length === 0))
      .map(([key]) => key.toLowerCase())
    expect(without.includes(name.slice("BYHAND_".length).replace("_", "").toLowerCase())).toBe(value === "")
  })

  test("tells the versions that are known and the privileges that there are", () => {
    for (const version of knownVersions) expect(told.get("BYHAND_KUBERNETES")?.meaning).toContain(version)
    for (const privilege of ["root", "sudo", "user", "auto"])
      expect(told.get("BYHAND_PRIVILEGE")?.meaning).toContain(privilege)
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

describe("the cache's default", () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  test("passes over what is no folder for caches", () => {
    vi.stubEnv("HOME", "/home/one")
    for (const given of [undefined, "", "relative"]) {
      vi.stubEnv("XDG_CACHE_HOME", given)
      expect(readSettings({}).cacheDir).toBe("/home/one/.cache/byhand")
    }
  })

  test("is asked for where there is no home", () => {
    vi.stubEnv("HOME", "")
    vi.stubEnv("XDG_CACHE_HOME", undefined)
    expect(() => readSettings({})).toThrow(
      new UsageError("This user has no home folder for the cache.", "Name a folder in BYHAND_CACHE."),
    )
    expect(readSettings({ BYHAND_CACHE: "/cache" }).cacheDir).toBe("/cache")
  })
})

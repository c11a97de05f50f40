import { execa } from "execa"
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { UsageError } from "../base/errors.ts"
import type { Progress } from "../base/progress.ts"
import { silentProgress } from "../base/progress-silent.ts"
import { packageRoot, readSettings, type Settings } from "../base/settings.ts"
import { architecture } from "./architecture.ts"
import { digestOf } from "./digest.ts"
import { NoBinaryError, resolveBinaries } from "./resolve.ts"
import { knownVersions } from "./versions.ts"

/** No process answers at this address, so nothing can be downloaded. */
const unreachable = "http://127.0.0.1:9"

let folder: string
let settings: Settings
let notes: string[]
let progress: Progress

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "byhand-binaries-"))
  const cache = join(folder, "cache")
  settings = readSettings({ BYHAND_CACHE: cache, BYHAND_MIRROR: unreachable, BYHAND_KEEP_BUILD: "1" })
  // The test uses the Go modules and builds of the project's own cache.
  const go = join(readSettings().cacheDir, "go")
  await mkdir(go, { recursive: true })
  await mkdir(cache)
  await symlink(go, join(cache, "go"))
  notes = []
  progress = {
    ...silentProgress,
    note: (sentence) => {
      notes.push(sentence)
    },
  }
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true, force: true })
})

const cached = (name: string) => join(settings.cacheDir, "bin", `cni-plugins-v1.9.1-${architecture}`, name)

/** Writes a program into a folder of the test. */
async function program(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

/** Puts another `go` in front of the real one. It runs some commands before it builds. */
async function wrapGo(before: string): Promise<void> {
  const real = (await execa("sh", ["-c", "command -v go"])).stdout
  await program("wrapped/go", `if [ "$1" = build ]; then ${before}; fi; exec ${real} "$@"`)
  vi.stubEnv("PATH", `${join(folder, "wrapped")}${delimiter}${process.env["PATH"] ?? ""}`)
}

/** Another process that resolves loopback and prints its path. Needs the build in dist. */
function another(variables: Record<string, string> = {}) {
  const library = join(packageRoot, "dist")
  return execa(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `
    import { resolveBinaries } from "${library}/binaries/resolve.js"
    import { readSettings } from "${library}/base/settings.js"
    import { terminalProgress } from "${library}/base/progress-terminal.js"
    console.log((await resolveBinaries(["loopback"], readSettings(), terminalProgress())).get("loopback").path)
  `,
    ],
    {
      env: { BYHAND_CACHE: settings.cacheDir, BYHAND_MIRROR: unreachable, BYHAND_KEEP_BUILD: "1", ...variables },
      reject: false,
    },
  )
}

/** Waits until `look` returns a value. The test's own timeout limits the wait. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look().catch(() => undefined)
    if (seen !== undefined) return seen
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe("the folder that the user names", () => {
  test("is used with any version, and the real version is reported", async () => {
    await program("mine/kubectl", 'echo "Client Version: v1.30.1"')
    const binDir = join(folder, "mine")
    const found = await resolveBinaries(["kubectl"], { ...settings, binDir }, progress)
    expect(found.get("kubectl")).toEqual({
      name: "kubectl",
      path: join(binDir, "kubectl"),
      version: "1.30.1",
      source: `BYHAND_BIN_DIR=${binDir}`,
    })
  })

  test("with a program that cannot be run gives a UsageError", async () => {
    const path = await program("mine/kubectl", "")
    await chmod(path, 0o644)
    const resolving = resolveBinaries(["kubectl"], { ...settings, binDir: join(folder, "mine") }, progress)
    await expect(resolving).rejects.toThrow(UsageError)
    await expect(resolving).rejects.toThrow(
      /mine\/kubectl, in the folder that BYHAND_BIN_DIR names, may not be run by this user/,
    )
  })
})

describe("PATH", () => {
  const search = (path: string) => {
    vi.stubEnv("PATH", `${join(folder, path)}${delimiter}${process.env["PATH"] ?? ""}`)
  }

  test("is used if the version fits", async () => {
    const path = await program("bin/kubectl", 'echo "Client Version: v1.37.0"')
    search("bin")
    expect((await resolveBinaries(["kubectl"], settings, progress)).get("kubectl")).toEqual({
      name: "kubectl",
      path,
      version: "1.37.0",
      source: "PATH",
    })
  })

  test("is not used for another version, for a link to a program with another name, or for CNI plugins", async () => {
    await program("bin/kubectl", 'echo "Client Version: v1.36.3"')
    await program("bin/loopback", 'echo "CNI loopback plugin v1.9.1"')
    await program("elsewhere/snap", 'echo "etcd Version: 3.7.3"')
    await symlink(join(folder, "elsewhere/snap"), join(folder, "bin/etcd"))
    search("bin")
    await withoutMakers()
    const failure = await resolveBinaries(["kubectl", "loopback", "etcd"], settings, progress).catch(
      (error: unknown) => error,
    )
    expect(String(failure)).toContain(`PATH: ${join(folder, "bin/kubectl")} is version 1.36.3, not 1.37.x`)
    expect(String(failure)).toContain("PATH: etcd: not found")
    expect(String(failure)).toContain("/opt/cni/bin: loopback: not found")
  })
})

describe("the cache", () => {
  test("is filled by one of several processes, and the others use its binaries", async () => {
    await wrapGo(`echo $$ >> ${folder}/builds`)
    const runs = await Promise.all([another(), another(), another()])
    // Their progress output depends on the duration of the build.
    expect(runs.map(({ stdout, exitCode, stderr }) => ({ stdout, exitCode, stderr }))).toEqual(
      Array(3).fill({ stdout: cached("loopback"), exitCode: 0, stderr: expect.any(String) as string }),
    )
    expect((await readFile(join(folder, "builds"), "utf8")).trim().split("\n")).toHaveLength(1)
    expect((await readdir(dirname(cached("loopback")))).toSorted()).toEqual([
      ".loopback.json",
      ".loopback.verified",
      "loopback",
    ])
  })

  test("is filled by a waiting process if the first process is killed, and no child process is left", async () => {
    await wrapGo(`echo $$ >> ${folder}/builds; test -e ${folder}/go-on || sleep 1000`)
    const first = another()
    await until(() => stat(join(folder, "builds")))
    const second = another({ CI: "1" })
    await until(async () => ((await processes("flock", dirname(cached("")))).length > 0 ? true : undefined))
    expect(await processes(folder, "build")).not.toEqual([])
    await writeFile(join(folder, "go-on"), "")
    first.kill("SIGKILL")
    expect((await second).stdout).toBe(cached("loopback"))
    await first
    expect(await processes(folder)).toEqual([])
    expect(await openFiles(folder)).toEqual([])
  })

  test("names the process for which it waits", async () => {
    await wrapGo(`echo $$ >> ${folder}/builds; while ! test -e ${folder}/go-on; do sleep 0.1; done`)
    const first = another()
    await until(() => stat(join(folder, "builds")))
    const titles: string[] = []
    const waiting = resolveBinaries(["loopback"], settings, {
      ...progress,
      task: (title, work) => {
        titles.push(title)
        return work(() => undefined)
      },
    })
    await until(async () => titles[0])
    await writeFile(join(folder, "go-on"), "")
    await waiting
    expect(titles).toEqual([
      `Waiting for process ${String(first.pid)}, which fetches bridge, host-local, loopback, portmap 1.9.1`,
    ])
    await first
  })

  test("names and replaces a changed binary, even if its size and times are the same", async () => {
    await resolveBinaries(["loopback"], settings, progress)
    const before = await stat(cached("loopback"))
    const digest = await digestOf(cached("loopback"))
    const content = await readFile(cached("loopback"))
    content[5000] = ~(content[5000] ?? 0)
    await writeFile(cached("loopback"), content)
    await utimes(cached("loopback"), before.atime, before.mtime)
    expect((await stat(cached("loopback"))).size).toBe(before.size)

    expect((await resolveBinaries(["loopback"], settings, progress)).get("loopback")?.path).toBe(cached("loopback"))
    expect(notes).toEqual([`${cached("loopback")} is corrupted: its digest is not the recorded one. It is replaced.`])
    expect(await digestOf(cached("loopback"))).toBe(digest)
  })

  test("uses a binary with a note in the first format, without a build", async () => {
    const made = await resolveBinaries(["loopback"], settings, progress)
    await writeFile(
      join(dirname(cached("loopback")), ".loopback.json"),
      JSON.stringify({ sha256: await digestOf(cached("loopback")), version: "1.9.1", source: "Go modules" }),
    )
    await wrapGo("exit 1")
    expect(await resolveBinaries(["loopback"], settings, progress)).toEqual(made)
    expect(notes).toEqual([])
  })

  test("treats a binary without a note as missing", async () => {
    await resolveBinaries(["loopback"], settings, progress)
    await rm(join(dirname(cached("loopback")), ".loopback.json"))
    await writeFile(cached("loopback"), "half")
    await resolveBinaries(["loopback"], settings, progress)
    expect((await execa(cached("loopback"), ["--version"])).exitCode).toBe(0)
  })

  test("that cannot be written to is one of the reasons in the error", async () => {
    await writeFile(join(settings.cacheDir, "bin"), "not a folder")
    await withoutMakers()
    await expect(resolveBinaries(["loopback"], settings, progress)).rejects.toThrow(/the cache: (ENOTDIR|EEXIST)/)
  })
})

describe("Go modules", () => {
  test("report the progress in packages, write only to the cache, and make binaries that print their version", async () => {
    const mod = join(settings.cacheDir, "go", "mod")
    const home = join(folder, "home")
    const cacheDir = join(folder, "cold") // Modules are there, builds are not.
    await mkdir(join(cacheDir, "go"), { recursive: true })
    await symlink(await execa("realpath", [mod]).then(({ stdout }) => stdout), join(cacheDir, "go", "mod"))
    vi.stubEnv("HOME", home)
    vi.stubEnv("XDG_CONFIG_HOME", undefined)
    vi.stubEnv("GOFLAGS", "-mod=vendor")
    const reports: [number, number][] = []
    const found = await resolveBinaries(
      ["loopback"],
      { ...settings, cacheDir },
      {
        ...progress,
        task: (_, work) =>
          work((done, total, unit) => {
            if (unit === "packages") reports.push([done, total])
          }),
      },
    )
    const total = reports[0]?.[1] ?? 0
    expect(total).toBeGreaterThan(50)
    expect(reports).toEqual(Array.from({ length: total }, (_, index) => [index + 1, total]))
    expect(found.get("loopback")).toMatchObject({ version: "1.9.1", source: "Go modules" })
    await expect(stat(home)).rejects.toThrow("ENOENT")
    expect(await readdir(dirname(found.get("loopback")?.path ?? ""))).not.toContain(".work")
  })
})

describe("without any usable source", () => {
  test("one message names every source that was tried and the remedy", async () => {
    await withoutMakers()
    await mkdir(join(folder, "mine"))
    const failure = await resolveBinaries(
      ["kubelet", "runc", "loopback"],
      { ...settings, binDir: join(folder, "mine") },
      progress,
    ).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(NoBinaryError)
    const lines = String(failure).split("\n")
    expect(lines[0]).toBe("NoBinaryError: No source has kubelet 1.37.2, runc 1.5.2, loopback 1.9.1. Tried:")
    for (const line of [
      `BYHAND_BIN_DIR=${join(folder, "mine")}: has no kubelet`,
      "PATH: kubelet: not found",
      "the cache: ",
      "the official release: 127.0.0.1:9 cannot be reached: ",
      "Go modules: there is no go on PATH",
      "Go modules: runc cannot be built without a C compiler",
      "Debian packages: ",
      "Put the programs into a folder",
    ])
      expect(
        lines.filter((said) => said.trim().startsWith(line)),
        line,
      ).not.toEqual([])
  })

  test("a version without a go.mod is named in the error", async () => {
    await withoutMakers()
    await expect(resolveBinaries(["kubelet"], { ...settings, kubernetes: "1.37.99" }, progress)).rejects.toThrow(
      `Go modules: there is no go.mod for kubernetes 1.37.99; Kubernetes has one in ${knownVersions.join(", ")}`,
    )
  })
})

/** Leaves on PATH only the test's own folders and the programs that locks need. go and apt-get are not among them. */
async function withoutMakers(): Promise<void> {
  await mkdir(join(folder, "few"))
  for (const tool of ["sh", "cat", "flock", "setpriv", "tar"]) {
    await symlink((await execa("sh", ["-c", `command -v ${tool}`])).stdout, join(folder, "few", tool))
  }
  vi.stubEnv("PATH", `${join(folder, "bin")}${delimiter}${join(folder, "few")}`)
}

/** The command lines that contain all these parts. */
async function processes(...parts: string[]): Promise<string[]> {
  const lines = await Promise.all((await pids()).map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")))
  return lines
    .map((line) => line.replaceAll("\0", " ").trim())
    .filter((line) => parts.every((part) => line.includes(part)))
}

/** The files in the folder that a process has open. */
async function openFiles(within: string): Promise<string[]> {
  const files = await Promise.all(
    (await pids()).map(async (pid) => {
      const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => [])
      return Promise.all(descriptors.map((descriptor) => readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "")))
    }),
  )
  return files.flat().filter((file) => file.startsWith(within))
}

async function pids(): Promise<string[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name))
}

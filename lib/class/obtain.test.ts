import { execa } from "execa"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { gzipSync } from "node:zlib"
import { pack, type Header } from "tar-stream"
import type { ScriptSource } from "./class-file.ts"
import { obtain, type Obtained } from "./obtain.ts"
import { SubjectError } from "./subject-error.ts"

let here: string
beforeEach(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-obtain-"))
})
afterEach(() => rmSync(here, { recursive: true }))

const SCRIPT = "#!/bin/bash\nexec etcd\n"

let count = 0
function get(source: ScriptSource): Promise<Obtained> {
  return obtain(source, join(here, `work-${++count}`), AbortSignal.timeout(60_000))
}
/** Why it is refused. */
const refusal = (source: ScriptSource) =>
  get(source).then(
    () => "not refused",
    (error: unknown) => {
      expect(error).toBeInstanceOf(SubjectError)
      return error instanceof SubjectError ? error.message : ""
    },
  )
const archive = (name: string): ScriptSource => ({ kind: "archive", path: join(here, name) })

function folder(name: string, files: Record<string, string> = { "01-etcd.sh": SCRIPT }): string {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(here, name, file, ".."), { recursive: true })
    writeFileSync(join(here, name, file), text, { mode: 0o755 })
  }
  return join(here, name)
}

describe("folders", () => {
  test("the digest is that of the files", async () => {
    const path = folder("one")
    const first = await get({ kind: "folder", path })
    expect(first.folder).toBe(path)
    expect((await get({ kind: "folder", path: folder("two") })).digest).toBe(first.digest)
    writeFileSync(join(path, "01-etcd.sh"), `${SCRIPT}\n`)
    const edited = await get({ kind: "folder", path })
    writeFileSync(join(path, "etcd.yaml"), "")
    const digests = [first.digest, edited.digest, (await get({ kind: "folder", path })).digest]
    expect(new Set(digests).size).toBe(3)
  })

  test("a folder around the scripts, and a submission", async () => {
    const outer = folder("outer", { "README.md": "", "my-cluster/01-etcd.sh": SCRIPT })
    expect((await get({ kind: "folder", path: outer })).folder).toBe(join(outer, "my-cluster"))
    const submission = folder("in", { "manifest.json": "{}", "scripts/01-etcd.sh": SCRIPT, "other/x": "" })
    expect((await get({ kind: "folder", path: submission })).folder).toBe(join(submission, "scripts"))
  })

  test("no scripts, and a link to a file of the host", async () => {
    mkdirSync(join(here, "empty"))
    expect(await refusal({ kind: "folder", path: join(here, "empty") })).toBe(
      "the folder contains no start script, such as 01-etcd.sh",
    )
    symlinkSync("/etc/passwd", join(folder("linked"), "users"))
    expect(await refusal({ kind: "folder", path: join(here, "linked") })).toMatch(
      /^users is a symbolic link to a file out/,
    )
  })
})

describe("archives", () => {
  test("tar writes one: files, modes and links inside come back", async () => {
    folder("my-cluster", { "01-etcd.sh": SCRIPT, "etc/a.conf": "a", ".git/config": "x", "node_modules/x/y": "z" })
    symlinkSync("../etc/a.conf", join(folder("my-cluster"), "etc", "b.conf"))
    await execa("tar", ["-czf", join(here, "a.tar.gz"), "-C", here, "my-cluster"])
    const { folder: home, digest } = await get(archive("a.tar.gz"))
    const names = readdirSync(home, { recursive: true, encoding: "utf8" })
    expect(new Set(names)).toEqual(new Set(["01-etcd.sh", "etc", "etc/a.conf", "etc/b.conf"]))
    expect(readFileSync(join(home, "etc/b.conf"), "utf8")).toBe("a")
    expect(statSync(join(home, "01-etcd.sh")).mode & 0o777).toBe(0o755)
    // Packed in another way, the same files are the same.
    await execa("tar", ["-czf", join(here, "b.tgz"), "-C", join(here, "my-cluster"), "."])
    expect((await get(archive("b.tgz"))).digest).toBe(digest)
  })

  test("Info-ZIP wrote one: a folder, a script and a link to it", async () => {
    writeFileSync(join(here, "a.zip"), Buffer.from(ZIP, "base64"))
    const { folder: home } = await get(archive("a.zip"))
    expect(relative(here, home)).toMatch(/\/files\/src$/)
    expect(readFileSync(join(home, "link.sh"), "utf8")).toContain("exec etcd")
    expect(statSync(join(home, "01-etcd.sh")).mode & 0o777).toBe(0o755)
  })

  type TestEntry = Partial<Header> & { readonly name: string; readonly text?: string }

  /** A tar file with these entries. */
  async function tarWith(name: string, ...entries: readonly TestEntry[]): Promise<ScriptSource> {
    const tar = pack()
    for (const { text = "", ...header } of entries) tar.entry(header, text)
    tar.entry({ name: "01-etcd.sh", mode: 0o755 }, SCRIPT)
    tar.finalize()
    const parts: Buffer[] = []
    for await (const part of tar) parts.push(part as Buffer) // A stream without an encoding.
    writeFileSync(join(here, name), gzipSync(Buffer.concat(parts)))
    return archive(name)
  }

  test.each<[string, readonly TestEntry[], RegExp]>([
    ["..", [{ name: "../escaped", text: "x" }], /^the archive contains \.\.\/escaped, which leads out of its folder$/],
    ["deep ..", [{ name: "a/../../escaped", text: "x" }], /which leads out of its folder$/],
    ["absolute", [{ name: "/tmp/byhand-escaped", text: "x" }], /contains \/tmp\/byhand-escaped, which leads out/],
    ["a folder out", [{ name: "../dir/", type: "directory" }], /contains \.\.\/dir.*leads out/],
    ["link out", [{ name: "out", type: "symlink", linkname: "../../x" }], /contains out, a link to .* leads out/],
    [
      "absolute link",
      [{ name: "out", type: "symlink", linkname: "/etc/passwd" }],
      /contains out, a link to \/etc\/passwd/,
    ],
    [
      "through a link",
      [
        { name: "in", type: "symlink", linkname: "." },
        { name: "in/x", text: "x" },
      ],
      /contains in both as a folder and as something else/,
    ],
    [
      "links that lead out together",
      [
        { name: "d/e/f", text: "" },
        { name: "l", type: "symlink", linkname: "d/e" },
        { name: "d/e/up", type: "symlink", linkname: ".." },
        { name: "m", type: "symlink", linkname: "d/e/up/../../.." },
      ],
      /a link to .* leads out of its folder/,
    ],
    ["hard link out", [{ name: "hard", type: "link", linkname: "/etc/passwd" }], /leads out of its folder/],
    ["hard link to nothing", [{ name: "hard", type: "link", linkname: "x" }], /a hard link to x, which is not in it/],
    ["a device", [{ name: "null", type: "character-device" }], /contains null, which is neither a file nor a folder/],
    ["a pipe", [{ name: "pipe", type: "fifo" }], /contains pipe, which is neither/],
    ["a backslash", [{ name: "a\\b", text: "" }], /a name with a backslash/],
  ])("refused: %s", async (_, entries, reason) => {
    expect(await refusal(await tarWith("x.tar.gz", ...entries))).toMatch(reason)
    expect(readdirSync(here).filter((name) => name.includes("escaped"))).toEqual([])
  })

  test("a hard link to a file of the archive is a copy", async () => {
    const source = await tarWith("x.tgz", { name: "a", text: "same" }, { name: "b", type: "link", linkname: "a" })
    expect(readFileSync(join((await get(source)).folder, "b"), "utf8")).toBe("same")
  })

  test("bombs: large, many, and a size that lies", async () => {
    const zeros = Buffer.alloc(40 * 2 ** 20)
    writeFileSync(join(here, "large.tar.gz"), gzipSync(zeros))
    expect(await refusal(archive("large.tar.gz"))).toBe("the archive contains more than 32 MiB")
    const many = Array.from({ length: 5_001 }, (_, at) => ({ name: `f${at}`, text: "" }))
    expect(await refusal(await tarWith("many.tgz", ...many))).toBe("the archive contains more than 5000 files")
    const zip = Buffer.from(ZIP, "base64")
    zip.writeUInt32LE(40 * 2 ** 20, zip.lastIndexOf("PK\u0001\u0002") + 24)
    writeFileSync(join(here, "large.zip"), zip)
    expect(await refusal(archive("large.zip"))).toBe("the archive contains more than 32 MiB")
    zip.writeUInt32LE(1, zip.lastIndexOf("PK\u0001\u0002") + 24)
    writeFileSync(join(here, "lies.zip"), zip)
    expect(await refusal(archive("lies.zip"))).toMatch(/^the archive is damaged: src\/01-etcd\.sh has another checksum/)
  })

  test("damaged and encrypted ones", async () => {
    writeFileSync(join(here, "text.tar.gz"), "this is no archive")
    expect(await refusal(archive("text.tar.gz"))).toBe("the archive is damaged: incorrect header check")
    await tarWith("cut.tgz")
    writeFileSync(join(here, "cut.tgz"), readFileSync(join(here, "cut.tgz")).subarray(0, 80))
    expect(await refusal(archive("cut.tgz"))).toBe("the archive is damaged: unexpected end of file")
    const zip = Buffer.from(ZIP, "base64")
    writeFileSync(join(here, "cut.zip"), zip.subarray(0, 300))
    expect(await refusal(archive("cut.zip"))).toBe("the archive is damaged: it has no list of files at its end")
    zip[zip.indexOf("PK\u0001\u0002") + 8] = 1
    writeFileSync(join(here, "locked.zip"), zip)
    expect(await refusal(archive("locked.zip"))).toBe("the archive is encrypted")
  })

  test("a zip with a path that leads out", async () => {
    const zip = Buffer.from(ZIP, "base64").toString("latin1").replaceAll("src/01-etcd.sh", "../../01-et.sh")
    writeFileSync(join(here, "out.zip"), zip, "latin1")
    expect(await refusal(archive("out.zip"))).toBe("the archive contains ../../01-et.sh, which leads out of its folder")
  })
})

describe("git", () => {
  const as = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
  const git = (...words: string[]) =>
    execa("git", ["-C", join(here, "repository"), ...as, ...words], {
      env: { GIT_COMMITTER_DATE: "2026-11-20T10:00:00+01:00" },
    })

  test("the scripts of a branch, with the date of its commit; nothing of the repository runs or hides files", async () => {
    folder("repository", { "01-etcd.sh": SCRIPT, ".gitattributes": "* export-ignore\n*.sh filter=x\n" })
    await git("init", "--quiet", "--initial-branch=main")
    await git("add", ".")
    await git("commit", "--quiet", "-m", "one")
    await git("branch", "other")
    writeFileSync(join(here, "repository", "01-etcd.sh"), `${SCRIPT}# edited\n`)
    await git("commit", "--quiet", "-am", "two")
    const source = (ref: string): ScriptSource => ({ kind: "git", url: join(here, "repository"), ref })
    const [head, other] = [await get(source("HEAD")), await get(source("other"))]
    expect(head.committed).toBe(Date.UTC(2026, 10, 20, 9))
    expect(readFileSync(join(other.folder, "01-etcd.sh"), "utf8")).toBe(SCRIPT)
    expect(head.digest).not.toBe(other.digest)
    expect((await get(source(other.commit ?? ""))).digest).toBe(other.digest)
    expect(await refusal(source("none"))).toBe("git: couldn't find remote ref none")
    expect(await refusal({ kind: "git", url: folder("plain"), ref: "HEAD" })).toMatch(
      /^git: .*plain' does not appear to be a git repository$/,
    )
  })
})

/** zip -qry a.zip src: src/, src/link.sh, which is a link, and src/01-etcd.sh. */
const ZIP =
  "UEsDBAoAAAAAAPOdel0AAAAAAAAAAAAAAAAEABwAc3JjL1VUCQAD2YwIa9mMCGt1eAsAAQQAAAAABAAAAABQSwMECgAAAAAA8516XbGgA4YKAAAACgAAAAsAHABzcmMvbGluay5zaFVUCQAD2YwIa9mMCGt1eAsAAQQAAAAABAAAAAAwMS1ldGNkLnNoUEsDBBQAAAAIAPOdel2mMlWayQAAAD8BAAAOABwAc3JjLzAxLWV0Y2Quc2hVVAkAA9mMCGvZjAhrdXgLAAEEAAAAAAQAAAAAjZCxbsMwDER3fcUFHjIpstMhqAH/SRdKpmMCsmRItNvPrxBk6FhwOry7w4HdxXlJzlNdTYd+AGuYR+jKCPGoyuVa4QtJMpUVlo+MXXZeSKIx/MPhlcCXAaydScnOUiZ3UnFRvPsDo7S6ZEMUTmqPEuu0qu6jc8P9cevbDeP94/H5ttN8clGp/O/EylTUM6mV1IafFKehfzOOHFRysiob50Mb6dGBUCU9I2PjzXPBN4lWLLkgZeT2hTJCFIESXg1NVI4LSJFTYPMLUEsBAh4DCgAAAAAA8516XQAAAAAAAAAAAAAAAAQAGAAAAAAAAAAQAO1BAAAAAHNyYy9VVAUAA9mMCGt1eAsAAQQAAAAABAAAAABQSwECHgMKAAAAAADznXpdsaADhgoAAAAKAAAACwAYAAAAAAAAAAAA/6E+AAAAc3JjL2xpbmsuc2hVVAUAA9mMCGt1eAsAAQQAAAAABAAAAABQSwECHgMUAAAACADznXpdpjJVmskAAAA/AQAADgAYAAAAAAABAAAA7YGNAAAAc3JjLzAxLWV0Y2Quc2hVVAUAA9mMCGt1eAsAAQQAAAAABAAAAABQSwUGAAAAAAMAAwDvAAAAngEAAAAA"

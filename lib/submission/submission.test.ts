import { execFileSync } from "node:child_process"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { recordedEvents } from "../proof/testing/results.ts"
import { checkSubmission } from "./check.ts"
import { composed, leaksOf, written, type Ingredients } from "./compose.ts"
import { filesOf, type Content } from "./manifest.ts"
import { noteOf, type Stamped } from "./note.ts"
import { sign } from "./signature.ts"

let folder: string
let out: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "byhand-submission-"))
  out = join(folder, "out")
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const START = Date.UTC(2026, 10, 26, 14, 2, 7)
/** The recorded run of a learner's folder, an event every half second. */
const events: readonly Stamped[] = recordedEvents().map((event, at) => ({ at: START + at * 500, event }))
const last = events.at(-1)?.event
const result = last?.type === "run ended" ? last.result : undefined

const scripts = (): Map<string, Content> =>
  new Map([
    ["01-etcd.sh", { bytes: Buffer.from("#!/bin/bash\nexec etcd\n"), mode: 0o755 }],
    ["etc/cni/net.conf", { bytes: Buffer.from("{}\n"), mode: 0o644 }],
    ["words.md", { bytes: Buffer.from("I learned that all state is in etcd.\n"), mode: 0o644 }],
  ])
const ingredients = (given: Partial<Ingredients> = {}): Ingredients => {
  if (result === undefined) throw new Error("the recording has no end")
  return {
    student: "alice",
    scripts: scripts(),
    events,
    result,
    views: { kubectl: "$ kubectl get nodes && kubectl get pods\n", etcd: "$ etcdctl get /registry/pods/ --prefix\n" },
    about: {
      suite: "0.1.0",
      host: "Linux 6.18 x86_64",
      programs: { etcd: { version: "etcd Version: 3.7.3", sha256: null } },
    },
    secrets: [],
    ...given,
  }
}
const all = async (path: string) =>
  new Map([...(await filesOf(path))].flatMap(([file, content]) => (content === undefined ? [] : [[file, content]])))
const key = (name: string): string => {
  const path = join(folder, name)
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path])
  return path
}
const write = (signedWith?: string) =>
  written(out, composed(ingredients()), async (finished) => {
    if (signedWith !== undefined) await sign(finished, signedWith)
    return all(finished)
  })

describe("a submission", () => {
  test("has everything that the workshop asks for, as a folder and as an archive of the same files", async () => {
    await write()
    expect([...(await filesOf(out)).keys()]).toEqual([
      "etcd-pod.txt",
      "kubectl.txt",
      "manifest.json",
      "note.md",
      "result.json",
      "scripts/01-etcd.sh",
      "scripts/etc/cni/net.conf",
      "scripts/words.md",
      "transcript.txt",
    ])
    expect(readdirSync(folder)).toEqual(["out", "out.tar.gz"])
    renameSync(out, `${out}-as-folder`)
    execFileSync("tar", ["xzf", `${out}.tar.gz`, "-C", folder])
    expect(await filesOf(out)).toEqual(
      new Map([...(await filesOf(`${out}-as-folder`))].map(([path, content]) => [path, content])),
    )
    expect(await checkSubmission(out)).toMatchObject({
      edited: [],
      signature: { kind: "none" },
      manifest: { student: "alice", points: { reached: 8, most: 30 }, created: "2026-11-26T14:02:43.000Z" },
    })
    expect(readFileSync(join(out, "transcript.txt"), "utf8")).toMatch(/\n8 passed, 1 failed, 21 skipped\n$/)
    expect(JSON.parse(readFileSync(join(out, "result.json"), "utf8"))).toMatchObject({ subject: "scripts" })
  })

  test("that cannot be finished leaves nothing", async () => {
    await expect(written(out, composed(ingredients()), () => Promise.reject(new Error("no key")))).rejects.toThrow(
      "no key",
    )
    expect(readdirSync(folder)).toEqual([])
  })
})

describe("an edit is found", () => {
  test.each<[string, () => void, string]>([
    ["a changed byte", () => writeFileSync(join(out, "note.md"), "I did it all."), "note.md was edited"],
    [
      "a changed script",
      () => writeFileSync(join(out, "scripts/01-etcd.sh"), "exec true\n"),
      "scripts/01-etcd.sh was edited",
    ],
    ["a file that is missing", () => rmSync(join(out, "kubectl.txt")), "kubectl.txt is missing"],
    ["a file that was added", () => writeFileSync(join(out, "scripts/02.sh"), ""), "scripts/02.sh was added"],
    [
      "another mode",
      () => chmodSync(join(out, "scripts/01-etcd.sh"), 0o644),
      "scripts/01-etcd.sh has another mode: 644 instead of 755",
    ],
    [
      "a link in place of a file",
      () => {
        rmSync(join(out, "note.md"))
        symlinkSync("kubectl.txt", join(out, "note.md"))
      },
      "note.md is not an ordinary file",
    ],
  ])("%s", async (_, edit, line) => {
    await write()
    edit()
    expect((await checkSubmission(out)).edited).toEqual([line])
  })

  test("a folder without a manifest, or with another kind of one, is no submission", async () => {
    await write()
    writeFileSync(join(out, "manifest.json"), `{"schema":"byhand/submission/v2"}`)
    await expect(checkSubmission(out)).rejects.toThrow(UsageError)
    rmSync(join(out, "manifest.json"))
    await expect(checkSubmission(out)).rejects.toThrow(/is no submission: it has no manifest\.json/)
  })
})

describe("a signature", () => {
  const signersOf = (...lines: string[]) => {
    const file = join(folder, "signers")
    writeFileSync(file, lines.map((line) => `${line}\n`).join(""))
    return { file, identity: undefined }
  }
  const publicKey = (path: string) => readFileSync(`${path}.pub`, "utf8").trim()

  test("of the student is good, and of no other key or person", async () => {
    const [own, foreign] = [key("own"), key("foreign")]
    await write(own)
    const kind = async (...lines: string[]) => (await checkSubmission(out, signersOf(...lines))).signature.kind
    expect((await checkSubmission(out)).signature).toMatchObject({
      kind: "unknown signer",
      by: expect.stringContaining("SHA256:"),
    })
    expect(await kind(`alice ${publicKey(own)}`)).toBe("good")
    expect(await kind(`alice ${publicKey(foreign)}`)).toBe("bad")
    expect(await kind(`bob ${publicKey(own)}`)).toBe("bad")
    const bob = { ...signersOf(`bob ${publicKey(own)}`), identity: "bob" }
    expect((await checkSubmission(out, bob)).signature.kind).toBe("good")
    expect((await checkSubmission(out)).edited).toEqual([])
  })

  test("is of this manifest: not of an edited one, and not of something that was signed for another purpose", async () => {
    const own = key("own")
    await write(own)
    const manifest = join(out, "manifest.json")
    const text = readFileSync(manifest, "utf8")
    writeFileSync(manifest, text.replace('"reached": 8', '"reached": 30'))
    expect((await checkSubmission(out)).signature.kind).toBe("bad")
    writeFileSync(manifest, text)
    expect((await checkSubmission(out)).signature.kind).toBe("unknown signer")
    rmSync(`${manifest}.sig`)
    execFileSync("ssh-keygen", ["-q", "-Y", "sign", "-n", "git", "-f", own, manifest], { stdio: "ignore" })
    expect(existsSync(`${manifest}.sig`)).toBe(true)
    expect((await checkSubmission(out, signersOf(`alice ${publicKey(own)}`))).signature.kind).toBe("bad")
  })

  test("with a file that is no key is refused", async () => {
    writeFileSync(join(folder, "none"), "no key")
    await expect(write(join(folder, "none"))).rejects.toThrow(
      /could not be signed with .*\/none: .*ssh-keygen -t ed25519$/,
    )
    expect(readdirSync(folder)).toEqual(["none"])
  })
})

describe("a secret", () => {
  const secrets = [{ value: "0123456789abcdef0123", origin: "/etc/kubernetes/tokens.csv" }]
  const [{ value } = { value: "" }] = secrets

  test.each([
    ["a script", "scripts/02-apiserver.sh", `TOKEN=${value}\n`],
    ["the learner's words", "scripts/words.md", `My token was ${value}.\n`],
  ])("in %s is found, with its line", (_, path, text) => {
    const files = scripts().set(path.replace("scripts/", ""), { bytes: Buffer.from(text), mode: 0o644 })
    const leaks = leaksOf(composed(ingredients({ scripts: files, secrets })), secrets)
    expect(leaks).toContainEqual({ file: path, line: 1, what: "a secret of /etc/kubernetes/tokens.csv" })
    expect(JSON.stringify(leaks)).not.toContain(value)
  })

  test("in the name of a file is found", () => {
    const files = scripts().set(`${value}.txt`, { bytes: Buffer.from(""), mode: 0o644 })
    expect(leaksOf(composed(ingredients({ scripts: files, secrets })), secrets)).not.toEqual([])
  })

  test("in what a program printed is taken out of each file that byhand writes", () => {
    const told = events.map(
      ({ at, event }): Stamped =>
        JSON.parse(JSON.stringify({ at, event }).replaceAll("127.0.0.1:2399", value)) as Stamped,
    )
    const views = { kubectl: `token ${value}\n`, etcd: `${value}\n` }
    const end = told.at(-1)?.event
    if (end?.type !== "run ended") throw new Error("the recording has no end")
    const given = ingredients({ events: told, views, result: end.result, secrets })
    expect(JSON.stringify([given.events, given.result])).toContain(value)
    expect(leaksOf(composed(given), secrets)).toEqual([])
  })

  test("that is only known by its form is found in what a program printed", () => {
    const views = { kubectl: "Authorization: Bearer abcd1234efgh\n", etcd: "" }
    expect(leaksOf(composed(ingredients({ views })), [])).toEqual([
      { file: "kubectl.txt", line: 1, what: "a bearer token" },
    ])
  })

  test("an ordinary submission has none", () => {
    expect(leaksOf(composed(ingredients({ secrets })), secrets)).toEqual([])
  })
})

test("the note says in sentences what was killed, what came back, and how long it took", () => {
  if (result === undefined) throw new Error("the recording has no end")
  const lines = noteOf(events, result, "I learned that all state is in etcd.").split("\n")
  const story = lines.find((line) => line.startsWith("**The key outlives a restart of etcd.**"))
  expect(story).toMatch(
    /^\*\*The key outlives a restart of etcd\.\*\* etcd \(process 203\) was ended by SIG[A-Z]+ at 14:02:\d\d UTC\. It was started again as process 530, which was ready \d+\.\d s after its start: 1\.0 s after the first one had ended\. What was seen: \/hello = world, written to etcd 203, read from etcd 530\. The outcome passed after 1\.7 s\.$/,
  )
  expect(lines.slice(-4)).toEqual(["## In your own words", "", "I learned that all state is in etcd.", ""])
  expect(noteOf([], { ...result, lessons: [] }, undefined)).toContain("Nothing was killed")
})

test("the copy of a submission is verified wherever it lies", async () => {
  await write()
  cpSync(out, join(folder, "copy"), { recursive: true })
  expect((await checkSubmission(join(folder, "copy"))).edited).toEqual([])
})

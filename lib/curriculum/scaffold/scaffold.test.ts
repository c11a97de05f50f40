import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { hint } from "../../cli/hint.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../../kubeconfig/kubeconfig.ts"
import { pki, pkiCommands } from "../../pki/pki.ts"
import { packageRoot } from "../../base/settings.ts"
import { broken, commandOf, word, writes } from "../transcript/bash.ts"
import { reference } from "../transcript/reference.ts"
import { lessons } from "../lessons.ts"
import { layOut } from "./scaffold.ts"

const solution = join(packageRoot, "fixtures", "solution")
const SCRIPTS = lessons.flatMap(({ parts }) => parts.flatMap(({ script }) => script ?? []))

let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "byhand-scaffold-"))
})
afterEach(() => rmSync(place, { recursive: true }))

test("a folder is laid out with a script for each step, its workflow, and no answers", async () => {
  const { folder, files } = await layOut(join(place, "my-cluster"))
  expect(files).toEqual([
    ".github/workflows/grade.yml",
    ".gitignore",
    ...SCRIPTS.map((script) => `${script}.sh`),
    "README.md",
    "etc/cni/net.d/10-byhand.conflist",
    "etc/containerd/certs.d/docker.io/hosts.toml",
    "etc/containerd/certs.d/registry.k8s.io/hosts.toml",
    "etc/containerd/config.toml",
    "etc/kubernetes/kubelet.yaml",
    "package.json",
  ])
  for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(file.endsWith(".sh") ? 0o755 : 0o644)
  for (const script of SCRIPTS)
    expect(readFileSync(join(folder, `${script}.sh`), "utf8")).not.toMatch(/(^|\s)--(?!help|image)[a-z]/) // A flag would be the answer.
})

test("its package.json names the suite: a checkout by its path, or whatever --suite says", async () => {
  const named = async (name: string, suite?: string) => {
    const { folder } = await layOut(join(place, name), suite)
    return (
      JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { devDependencies: Record<string, string> }
    ).devDependencies["byhand"] // Ours.
  }
  expect(await named("one")).toMatch(/^file:(\.\.\/)+/)
  expect(await named("two", "github:school/byhand#$&")).toBe("github:school/byhand#$&")
})

describe("what is there is left alone, and a bad name writes nothing", () => {
  test.each([
    ["full", "is not empty: it holds kept"],
    ["file", "is a file"],
    ["missing/deeper", "is not a folder, so deeper cannot be created in it"],
    ["file/deeper", "is not a folder, so deeper cannot be created in it"],
    ["two words", "cannot name a folder"],
    ["-rf", "cannot name a folder"],
    ["line\nbreak", "cannot name a folder"],
    ["a".repeat(101), "cannot name a folder"],
  ])("%j", async (name, message) => {
    mkdirSync(join(place, "full"))
    writeFileSync(join(place, "full", "kept"), "")
    writeFileSync(join(place, "file"), "")
    await expect(layOut(join(place, name))).rejects.toThrow(message)
    expect(new Set(readdirSync(place, { recursive: true, encoding: "utf8" }))).toEqual(
      new Set(["file", "full", join("full", "kept")]),
    )
  })

  test("the empty word", () => expect(layOut("")).rejects.toThrow("An empty word cannot name a folder"))
  test("an empty folder is filled", async () => {
    mkdirSync(join(place, "empty"))
    expect((await layOut(join(place, "empty"))).files).toContain("01-etcd.sh")
  })
})

test.each(SCRIPTS)("%s.sh holds the hint's nudge, and ends in what is to be done", async (script) => {
  const text = readFileSync(join(packageRoot, "fixtures", "scaffold", `${script}.sh`), "utf8")
  const { data } = await hint(script)
  const { hint: nudge } = data as { hint: string } // What hint says for programs.
  expect(oneLine(text.replaceAll(/^# */gm, ""))).toContain(oneLine(nudge))
  expect(text).toMatch(new RegExp(`\\necho "${script}\\.sh starts nothing yet: .*" >&2\\nexit 1\\n$`))
})

describe("what is given, and what passes, is what the lessons themselves use", () => {
  const component = Object.fromEntries(
    lessons.flatMap(({ parts }) =>
      parts.flatMap(({ script, starts }) =>
        script === undefined || starts === undefined ? [] : [[script, reference[starts]] as const],
      ),
    ),
  )

  const besides = [
    ...pkiCommands("$NODE").map((argv) => broken(argv.map(word))),
    writes({
      path: KUBECONFIG_FILE,
      mode: 0o600,
      content: kubeconfig({ server: "https://127.0.0.1:6443", ca: { file: pki.ca.certificate }, token: "$TOKEN" }),
    }),
    ...reference["kube-apiserver"].files.map(writes),
  ]

  test.each(SCRIPTS)("%s.sh of the solution types the hint's commands", async (script) => {
    const typed = oneLine(readFileSync(join(solution, `${script}.sh`), "utf8").replaceAll(/^\s*#.*$/gm, ""))
    const commands = [commandOf(component[script] ?? reference.etcd), ...(script === "02-apiserver" ? besides : [])]
    const { data } = await hint(script, "3")
    const answer = oneLine((data as { hint: string }).hint) // What hint says for programs.
    for (const command of commands.map(oneLine)) {
      expect(typed).toContain(command)
      expect(answer).toContain(command)
    }
  })

  test.each(["scaffold", "solution"])("the files beside the scripts: %s", (folder) => {
    for (const { path, content } of reference.containerd.files)
      expect(readFileSync(join(packageRoot, "fixtures", folder, path), "utf8")).toBe(content)
  })

  test("the kubelet's configuration: whole in the solution, only what the machine demands in the scaffold", () => {
    const [whole = ""] = reference.kubelet.files.map(({ content }) => content)
    const path = "etc/kubernetes/kubelet.yaml"
    expect(readFileSync(join(solution, path), "utf8")).toBe(whole)
    const given = readFileSync(join(packageRoot, "fixtures", "scaffold", path), "utf8")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
    expect(whole.split("\n")).toEqual(expect.arrayContaining(given))
    expect(given.join("\n")).not.toMatch(/containerRuntimeEndpoint|tls|authentication/)
  })
})

/** The same words, however they are laid out. */
function oneLine(text: string): string {
  return text.replaceAll(/\\\n/g, " ").replaceAll(/\s+/g, " ").trim()
}

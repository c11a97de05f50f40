import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { hint } from "../../cli/hint.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../../kubeconfig/kubeconfig.ts"
import { managerCommands, networkedCommands, pki, pkiCommands, securedCommands } from "../../pki/pki.ts"
import { packageRoot } from "../../base/settings.ts"
import type { Component } from "../../components/component.ts"
import type { Hand } from "../transcript/hand.ts"
import { broken, commandOf, word, writes } from "../transcript/bash.ts"
import { GRANT_KUBELET_API, withPki } from "../../components/secured.ts"
import { facts, reference } from "../transcript/reference.ts"
import { APPLY_COREDNS, coredns } from "../../components/coredns.ts"
import { ADMIT_MACHINES, routeTo } from "../../components/networked.ts"
import { ADDRESS, MACHINES } from "../../machines/network.ts"
import { managed } from "../lessons/09-controller-manager.ts"
import { connected } from "../lessons/10-networking.ts"
import { lessons } from "../lessons.ts"
import { layOut } from "./scaffold.ts"

const solution = join(packageRoot, "fixtures", "solution")
const SCRIPTS = lessons.flatMap(({ parts }) => parts.flatMap(({ script }) => script ?? []))

let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "byhand-scaffold-"))
})
afterEach(() => rmSync(place, { recursive: true }))

test("a new folder has a script for each step and a workflow, and contains no answers", async () => {
  const { folder, files } = await layOut(join(place, "my-cluster"))
  expect(files).toEqual([
    ".github/workflows/grade.yml",
    ".gitignore",
    ...SCRIPTS.map((script) => `${script}.sh`),
    "12-kubeadm.md",
    "README.md",
    "etc/cni/net.d/10-byhand.conflist",
    "etc/containerd/certs.d/docker.io/hosts.toml",
    "etc/containerd/certs.d/registry.k8s.io/hosts.toml",
    "etc/containerd/config.toml",
    "etc/kubernetes/coredns.yaml",
    "etc/kubernetes/kubelet.yaml",
    "package.json",
  ])
  for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(file.endsWith(".sh") ? 0o755 : 0o644)
  for (const script of SCRIPTS)
    // A flag would give the answer away.
    expect(readFileSync(join(folder, `${script}.sh`), "utf8")).not.toMatch(/(^|\s)--(?!help|image)[a-z]/)
})

test("its package.json names the suite: a checkout by its path, or the value of --suite", async () => {
  const named = async (name: string, suite?: string) => {
    const { folder } = await layOut(join(place, name), suite)
    return (
      JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { devDependencies: Record<string, string> }
    ).devDependencies["byhand"] // The content of fixtures/scaffold/package.json.
  }
  expect(await named("one")).toMatch(/^file:(\.\.\/)+/)
  expect(await named("two", "github:school/byhand#$&")).toBe("github:school/byhand#$&")
})

describe("existing files are not changed, and for a bad name nothing is written", () => {
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

  test("an empty name", () => expect(layOut("")).rejects.toThrow("An empty name cannot name a folder"))
  test("an empty folder is filled", async () => {
    mkdirSync(join(place, "empty"))
    expect((await layOut(join(place, "empty"))).files).toContain("01-etcd.sh")
  })
})

test.each(SCRIPTS)(
  "%s.sh contains a comment that the first step of its hint does not repeat, and ends by printing what to write",
  async (script) => {
    const text = readFileSync(join(packageRoot, "fixtures", "scaffold", `${script}.sh`), "utf8")
    const { data } = await hint(script)
    const { hint: nudge } = data as { hint: string } // hint's JSON output.
    const hints = JSON.parse(readFileSync(join(packageRoot, "fixtures", "hints", "hints.json"), "utf8")) as Record<
      string,
      { comment: string }
    > // hint.ts checks it.
    const { comment = "" } = hints[script] ?? {}
    expect(comment).not.toBe("")
    expect(oneLine(text.replaceAll(/^# */gm, ""))).toContain(oneLine(comment))
    for (const sentence of oneLine(nudge).split(/(?<=[.?]) /)) expect(comment).not.toContain(sentence)
    expect(text).toMatch(new RegExp(`\\necho "${script}\\.sh starts nothing yet: .*" >&2\\nexit 1\\n$`))
  },
)

test("the folder's README.md says what to write into each script, and which lessons it serves", async () => {
  const { folder } = await layOut(join(place, "my-cluster"))
  const text = readFileSync(join(folder, "README.md"), "utf8")
  const table = [...text.matchAll(/^\| `(.+)\.sh` \| ([\d, ]+) \| (.+) \|$/gm)].map(([, script, ids]) => [script, ids])
  expect(table.map(([script]) => script)).toEqual(SCRIPTS)
  expect(table).toContainEqual(["05-kubelet", "05, 06, 07"])
  expect(table).toContainEqual(["10-node@node-2", "10"])
  expect(text).toMatch(/^The other lessons .* Lessons 08, 09, .* change the cluster: /m)
  expect(text).not.toMatch(/SCRIPTS|CHANGING/)
})

describe("the given files and the solution agree with what the lessons start", () => {
  const besides = [
    ...pkiCommands("$NODE").map((argv) => broken(argv.map(word))),
    writes({
      path: KUBECONFIG_FILE,
      mode: 0o600,
      content: kubeconfig({
        server: "https://127.0.0.1:6443",
        ca: { file: pki.ca.certificate },
        user: { token: "$TOKEN" },
      }),
    }),
    ...reference["kube-apiserver"].files.map(writes),
  ]

  const secured = [
    ...securedCommands("$NODE").map((argv) => broken(argv.map(word))),
    ...[withPki.etcd(reference.etcd), withPki["kube-apiserver"](reference["kube-apiserver"], facts)].map(commandOf),
    ...[withPki["kube-scheduler"](reference["kube-scheduler"]), withPki.kubelet(reference.kubelet)].map(commandOf),
    ...withPki["kube-apiserver"](reference["kube-apiserver"], facts).files.map(writes),
    GRANT_KUBELET_API,
  ]
  const controlled = [
    ...managerCommands().map((argv) => broken(argv.map(word))),
    ...[managed.apiserver, managed.manager].map(commandOf),
    ...managed.manager.files.map(writes),
  ]
  const networking = [
    ...networkedCommands("$NODE_IP").map((argv) => broken(argv.map(word))),
    ...[connected.apiserver, connected.manager, connected.kubelet, connected.proxy].map(commandOf),
    ...connected.proxy.files.map(writes),
    ADMIT_MACHINES,
    APPLY_COREDNS,
    routeTo(MACHINES["node-2"]),
  ]
  const { second } = connected
  const joining = [
    ...[second.containerd, second.kubelet, second.proxy].map(commandOf),
    ...second.proxy.files.map(writes),
    routeTo(ADDRESS),
  ]
  // Its scripts use variables for paths.
  const clustered = ["--initial-advertise-peer-urls=https://10.77.0.", "--heartbeat-interval=100", "ETCDCTL_ENDPOINTS="]
  /** The commands with which a script's part starts components. */
  const startedBy = (script: string): string[] => {
    const started: string[] = []
    const ignored = () => ""
    const start = (one: Component) => {
      started.push(commandOf(one))
      return ""
    }
    const hand: Hand = {
      start,
      again: ignored,
      restart: ignored,
      kill: ignored,
      registry: ignored,
      given: ignored,
      waitFor: ignored,
    }
    for (const part of lessons.flatMap(({ parts }) => parts)) if (part.script === script) part.lines(hand)
    return started
  }
  const commandsOf = (script: string): string[] => {
    if (script === "10-network") return networking
    if (script === "10-node@node-2") return joining
    if (script === "10-nodes") return ["kubectl certificate approve"]
    if (script === "08-pki") return secured
    if (script === "09-controller-manager") return controlled
    if (script.startsWith("11-")) return clustered
    return [...startedBy(script), ...(script === "02-apiserver" ? besides : [])]
  }

  test.each(SCRIPTS)("%s.sh of the solution contains the hint's commands", async (script) => {
    const typed = oneLine(readFileSync(join(solution, `${script}.sh`), "utf8").replaceAll(/^\s*#.*$/gm, ""))
    const { data } = await hint(script, "3")
    const answer = oneLine((data as { hint: string }).hint) // hint's JSON output.
    for (const command of commandsOf(script).map(oneLine)) {
      expect(typed).toContain(command)
      expect(answer).toContain(command)
    }
  })

  test.each(["scaffold", "solution"])("the files beside the scripts: %s", (folder) => {
    for (const { path, content } of [...reference.containerd.files, coredns])
      expect(readFileSync(join(packageRoot, "fixtures", folder, path), "utf8")).toBe(content)
  })

  test("the kubelet's configuration: whole in the solution, only what the machine requires in the scaffold", () => {
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

/** A text without its line breaks and indentation. */
function oneLine(text: string): string {
  return text.replaceAll(/\\\n/g, " ").replaceAll(/\s+/g, " ").trim()
}

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { Cluster } from "../clusters/cluster.ts"
import { makeRunsDir } from "../machines/admission.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { pki } from "../pki/pki.ts"
import { byhandIn } from "../proof/testing/byhand.ts"
import { startSshHost, type SshHost } from "../proof/testing/ssh-host.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"

/** A part of the grade book as JSON. */
interface SharedOnHosts {
  readonly identifiers: readonly { readonly kind: string; readonly value: string }[]
  readonly students: readonly { readonly id: string; readonly isEarlier: boolean }[]
}

const canRun = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")

describe.skipIf(!canRun)("a class of running hosts", () => {
  let place: Workplace
  let machine: Machine
  let host: SshHost
  let folder: string
  /** Accepts connections and never says a word. */
  let silent: Server

  beforeAll(async () => {
    const given = await artifacts(["kube-apiserver"])
    place = await workplace()
    makeRunsDir(place.settings)
    machine = (await startSandbox({ name: place.name, binds: given.binds, settings: place.settings })).machine
    await new Cluster({ machine, images: undefined, patience: 120_000 }).up(["etcd", "kube-apiserver"])
    await machine.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    host = await startSshHost(machine, place.folder)
    folder = mkdtempSync(join(tmpdir(), "byhand-class-"))
    silent = createServer()
    await new Promise<void>((listening) => silent.listen(0, "127.0.0.1", listening))
  })
  afterAll(async () => {
    silent.close()
    await host[Symbol.asyncDispose]()
    await machine.close()
    await place[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const grade = (...words: string[]) => byhandIn(place, ["class", ...words], "120", folder, host.environment)
  const ownFolders = () => readdirSync(place.settings.runsDir).filter((name) => name.startsWith("host-"))
  const silentPort = () => {
    const address = silent.address()
    return address === null || typeof address === "string" ? 0 : address.port
  }

  test("each has a row: what was seen, what was not checked, or the one reason why it could not be looked at", async () => {
    const hosts = {
      alice: host.target("root"),
      unreachable: "ssh://root@127.0.0.1:1",
      refusing: host.target("nobody"),
      closed: host.target("guest"),
      silent: `ssh://root@127.0.0.1:${silentPort()}`,
    }
    const subjects = Object.entries(hosts).map(([id, target]) => `- {id: ${id}, host: "${target}"}\n`)
    writeFileSync(join(folder, "class.yaml"), `lessons: [01]\nsubjects:\n${subjects.join("")}`)
    const { stdout, exitCode } = await grade("class.yaml", "--parallel", "3", "--csv", "book.csv")
    const book = readFileSync(join(folder, "book.csv"), "utf8").split("\r\n").slice(1, -1)
    const rows = Object.fromEntries(book.map((line) => [line.split(",")[0], line]))
    expect(rows["alice"]).toMatch(/^alice,100,100,0,2,2,.*,6 not checked: needs --allow restart,6$/)
    expect(rows["unreachable"]).toMatch(/,root@127\.0\.0\.1 cannot be reached: .*port 1: Connection refused,$/)
    expect(rows["refusing"]).toMatch(/,127\.0\.0\.1 does not let nobody log in without a question,$/)
    expect(rows["closed"]).toMatch(/,"?nothing could be graded: This user may not look at [\w, -]*etcd/)
    expect(rows["silent"]).toMatch(/,root@127\.0\.0\.1 cannot be reached: Connection .*timed out/)
    for (const id of ["unreachable", "refusing", "closed", "silent"]) expect(rows[id]).toMatch(/^\w+,,,,,,/)
    expect(stdout).toMatch(/\n1 of 5 students have a grade, 100 % on average\.\n?$/)
    expect(exitCode).toBe(1)
    expect(ownFolders()).toEqual([])
  })

  test("the hosts of an OpenSSH configuration are reached with it, whatever that of the user says", async () => {
    const { port } = new URL(host.target("root"))
    const own = `IdentityFile ${join(dirname(host.knownHosts), "key")}\n  UserKnownHostsFile ${host.knownHosts}\n`
    writeFileSync(
      join(folder, "hosts"),
      `Host bob\n  HostName 127.0.0.1\n  Port ${port}\n  User student\nHost *\n  ${own}`,
    )
    writeFileSync(join(folder, "rules.yaml"), "lessons: [01]\n")
    const words = ["class", "rules.yaml", "--inventory", "hosts"]
    const { stdout, exitCode } = await byhandIn(place, words, "120", folder)
    expect(stdout).toMatch(/^bob +100 % +2\/2 +6 not checked: needs --allow restart$/m)
    expect(exitCode).toBe(0)
    expect(ownFolders()).toEqual([])
  })

  test("two parts make one book, which names hosts that share what no two have by chance, also those of earlier runs", async () => {
    const list = (...students: [id: string, user: string][]) =>
      writeFileSync(
        join(folder, "hosts.csv"),
        ["id,host", ...students.map(([id, user]) => `${id},${host.target(user)}`)].join("\n"),
      )
    const words = ["rules.yaml", "--inventory", "hosts.csv"]
    writeFileSync(join(folder, "rules.yaml"), "lessons: [01]\n")
    // sudo demands a password from Bob.
    list(["alice", "root"], ["bob", "worker"])
    const sudo = join(folder, "sudo")
    writeFileSync(sudo, host.password, { mode: 0o600 })
    const environment = { ...host.environment, BYHAND_SUDO_FILE: sudo }
    for (const part of ["1", "2"]) {
      const shard = ["class", ...words, "--shard", `${part}/2`, "--out", part]
      const { stdout } = await byhandIn(place, shard, "120", folder, environment)
      expect(stdout).toContain("1 of 1 students have a grade, 100 % on average.")
    }
    const first = await grade("--merge", "1/book.json", "2/book.json", "--similar", "--out", "copies", "--json")
    const { similar } = JSON.parse(first.stdout) as { similar: { hosts: { shared: SharedOnHosts[] } } } // bookData has written it.
    const uid = await machine.run(["kubectl", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
    const digest = async (line: string) => (await machine.run(["sh", "-ec", `${line} | sha256sum`])).stdout.slice(0, 64)
    const expected = [
      { kind: "machine-id", value: await digest("printf %s 0123456789abcdef0123456789abcdef") },
      { kind: "CA certificate", value: await digest(`openssl x509 -in ${pki.ca.certificate} -outform der`) },
      {
        kind: "ServiceAccount key",
        value: await digest(`openssl pkey -pubin -in ${pki.serviceAccount.public} -outform der`),
      },
      { kind: "uid of the namespace kube-system", value: uid.stdout },
    ]
    expect(similar.hosts.shared.map(({ identifiers }) => identifiers)).toEqual([expected])
    expect(similar.hosts.shared[0]?.students.map(({ id, isEarlier }) => [id, isEarlier])).toEqual([
      ["alice", false],
      ["bob", false],
    ])

    list(["carol", "root"])
    const second = await grade(...words, "--similar", "--out", "copies")
    expect(second.stdout.replaceAll(/\s+/g, " ")).toMatch(
      /1 host was compared: 1 group of hosts\. .* the same machine-id .* and uid of the namespace kube-system \(.*\) on 3 hosts alice, in an earlier run .* bob, in an earlier run .* carol, first seen /,
    )
  })

  test("a host with another key is not looked at; one whose grader is killed leaves nothing here", async () => {
    await host.changeKey()
    const subjects = `- {id: alice, host: "${host.target("root")}"}\n- {id: silent, host: "ssh://127.0.0.1:${silentPort()}"}\n`
    writeFileSync(join(folder, "class.yaml"), `lessons: [01]\nsubjects:\n${subjects}`)
    const { stdout } = await grade("class.yaml", "--parallel", "2")
    expect(stdout).toMatch(/^\? alice +– +127\.0\.0\.1 shows another host key than the one that is known, so nothing/m)
    const killed = await grade("class.yaml", "--limit", "12", "--parallel", "2")
    expect(killed.stdout).toMatch(/^\? silent +– +no answer after 12 s while logging in to the host/m)
    expect(ownFolders()).toEqual([])
  })
})

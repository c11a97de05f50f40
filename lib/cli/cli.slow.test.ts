import { execa } from "execa"
import { existsSync, mkdtempSync, readdirSync, statSync } from "node:fs"
import { readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, expect, test } from "vitest"
import { resolveBinaries } from "../binaries/resolve.ts"
import { lessons } from "../curriculum/lessons.ts"
import { isAlive } from "../machines/identity.ts"
import { silentProgress } from "../base/progress-silent.ts"
import { packageRoot, readSettings } from "../base/settings.ts"

const runs = mkdtempSync(join(tmpdir(), "byhand-cli-"))
const program = join(packageRoot, "dist", "cli", "main.js")

function byhand(line: string, options: { input?: string } = {}) {
  return execa(process.execPath, [program, ...line.split(" ")], {
    env: { BYHAND_RUNS: runs, NO_COLOR: "1" },
    reject: false,
    ...options,
  })
}

const folderOf = (name: string) => join(runs, `up-${name}`)

afterEach(async () => {
  for (const folder of readdirSync(runs)) if (folder.startsWith("up-")) await byhand(`down --name ${folder.slice(3)}`)
})
afterAll(() => rm(runs, { recursive: true, force: true }))

test("a running cluster can be used from the host and from inside, and byhand down removes it", async () => {
  const up = await byhand("up --json --name one")
  expect(up.stderr).toBe("")
  const { kubeconfig, milliseconds } = JSON.parse(up.stdout) as {
    kubeconfig: string
    milliseconds: Record<string, number>
  } // The JSON output of byhand up.
  expect(Object.keys(milliseconds)).toEqual(expect.arrayContaining(["artifacts", "machine", "namespace"]))
  expect(statSync(kubeconfig).mode & 0o777).toBe(0o600)

  const settings = readSettings()
  const kubectl = (await resolveBinaries(["kubectl"], settings, silentProgress)).get("kubectl")?.path ?? ""
  const fromHost = await execa(kubectl, ["get", "namespace", "default", "-o", "name"], {
    env: { KUBECONFIG: kubeconfig },
  })
  expect(fromHost.stdout).toBe("namespace/default")

  const status = await byhand("status --json --name one")
  const [{ kubernetes, components }] = JSON.parse(status.stdout) as [
    { kubernetes: string; components: { name: string; ready: boolean; pid: number }[] },
  ]
  expect(kubernetes).toBe(settings.kubernetes)
  expect(components.filter(({ ready }) => !ready)).toEqual([])

  expect((await byhand("shell --name one kubectl get --raw /readyz")).stdout).toBe("ok")
  expect((await byhand("shell --name one bash", { input: "exit 7" })).exitCode).toBe(7)

  const again = await byhand("up --name one")
  expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("one is up already, since") as string })

  // status reads the processes; it does not remember what was started.
  await byhand(`shell --name one kill -9 ${components.find(({ name }) => name === "kube-scheduler")?.pid ?? ""}`)
  const without = await byhand("status --name one")
  expect(without.stdout).toMatch(/kube-scheduler +not running\n/)
  expect(without.exitCode).toBe(1)

  const [relay, init] = await Promise.all(
    ["relay", "init"].map((file) => readFile(join(folderOf("one"), file), "utf8")),
  )
  expect(await byhand("down --name one")).toMatchObject({ exitCode: 0, stdout: "one is down; nothing of it is left." })
  expect({ relay: isAlive(relay ?? ""), init: isAlive(init ?? ""), folders: readdirSync(runs) }).toEqual({
    relay: false,
    init: false,
    folders: [],
  })
})

test.each(["SIGINT", "SIGKILL"] as const)("up that gets %s while it boots leaves nothing", async (signal) => {
  const up = byhand("up --name killed")
  const relay = await Promise.race([
    appears(join(folderOf("killed"), "relay")),
    up.then(({ stderr }) => expect.unreachable(stderr)),
  ])
  expect(await byhand("up --name killed")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^Process \d+ is starting killed already\./) as string,
  })
  up.kill(signal)
  expect((await up).signal).toBe(signal)
  await expect.poll(() => readdirSync(runs), { timeout: 20_000 }).toEqual([])
  await expect.poll(() => isAlive(relay)).toBe(false)
})

test("byhand up succeeds although a killed supervisor has left files of the same name", async () => {
  expect((await byhand("up --empty --name left")).exitCode).toBe(0)
  process.kill(Number((await readFile(join(folderOf("left"), "supervisor"), "utf8")).split(" ")[0]), "SIGKILL")
  expect((await byhand("up --empty --name left")).stdout).toContain("left is up after")
  await byhand("down --name left")
  await expect.poll(() => readdirSync(runs)).toEqual([])
})

test("the transcripts of all machines run unchanged in empty machines", { timeout: 600_000 }, async () => {
  expect((await byhand("up --empty --name typed")).exitCode).toBe(0)
  const type = async (on = "") => {
    const { stdout: input } = await byhand(`transcript${on}`)
    const ran = await byhand(`shell --name typed${on} bash`, { input })
    expect(ran.exitCode, tailOf(ran)).toBe(0)
    return ran.stdout
  }
  const [first] = await Promise.all([type(), type(" --on node-2")])
  expect(first).toMatch(new RegExp(`\nAll ${lessons.length} lessons are done\\.$`))
  await type(" --on etcd-2")
  expect(await type(" --on etcd-3")).toMatch(/\nMember +\w+ promoted in cluster/)
})

test("byhand doctor finds what a host lacks, and prints what to do", async () => {
  const { stdout } = await byhand("doctor --json")
  const { checks } = JSON.parse(stdout) as { checks: { id: string; verdict: string }[] }
  expect(checks.find(({ id }) => id === "openssl")).toMatchObject({ verdict: "ok" })
  const without = await execa(process.execPath, [program, "doctor"], {
    env: { PATH: runs, BYHAND_RUNS: runs },
    extendEnv: false,
    reject: false,
  })
  expect(without.stdout).toMatch(/^missing +openssl +not found\n +needed by lessons 01, .*: Install OpenSSL 3/m)
  expect(without.stdout).toContain("This host can run no lesson yet.")
  expect(without.exitCode).toBe(1)
})

/** Waits until a file has content. @returns the content */
async function appears(path: string): Promise<string> {
  await expect.poll(() => existsSync(path) && statSync(path).size > 0, { timeout: 30_000, interval: 10 }).toBe(true)
  return readFile(path, "utf8")
}

function tailOf({ stdout, stderr }: { stdout: string; stderr: string }): string {
  return `${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`
}

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { hint } from "../../cli/hint.ts"
import type { Artifacts } from "../../clusters/artifacts.ts"
import { archivePath } from "../../components/image-registry.ts"
import { argvOf } from "../../components/component.ts"
import { REFERENCES } from "../../images/resolve.ts"
import type { Machine } from "../../machines/machine.ts"
import type { Network } from "../../machines/network.ts"
import { startSandbox } from "../../machines/sandbox.ts"
import { packageRoot } from "../../base/settings.ts"
import { artifacts, workplace, type Workplace } from "../../proof/testing/workplace.ts"
import { reference } from "../transcript/reference.ts"
import { lessonId, lessons, scriptsOf } from "../lessons.ts"
import { layOut } from "./scaffold.ts"

/** The start scripts of all lessons, in order. */
const SCRIPTS = lessons.flatMap(scriptsOf)

/** A command that succeeds when a further member of etcd can write, on its machine. */
function isHealthy(member: string): string {
  const file = (name: string) => `/etc/kubernetes/pki/etcd/${name}`
  return `etcdctl --endpoints=https://127.0.0.1:2379 --cacert=${file("ca.crt")} --cert=${file(`${member}.crt`)} --key=${file(`${member}.key`)} endpoint health`
}

/** For each start script, a command that succeeds on the machine when its component works. */
const WORKS: Readonly<Record<string, string>> = {
  "01-etcd.sh": `[ "$(etcdctl put /hello world)" = OK ]`,
  "02-apiserver.sh": "kubectl get namespace default kube-system",
  "04-scheduler.sh": "kubectl get --raw=/readyz --server=https://127.0.0.1:10259",
  "05-containerd.sh": "ctr version",
  "08-pki.sh": `tr '\\0' '\\n' </proc/$(pidof kubelet)/cmdline | grep -q kubelet.conf && kubectl wait --for=condition=Ready --timeout=1s "node/$(hostname)"`,
  "09-controller-manager.sh": "kubectl get --raw=/healthz --server=https://127.0.0.1:10257",
  "10-network.sh": "kubectl get service kube-dns -n kube-system && [ -e /shared/bootstrap-token ]",
  "10-node@node-2.sh": "pidof kubelet", // It listens when its certificate is approved: 10-nodes.sh does that.
  "10-nodes.sh": "kubectl get --raw /api/v1/nodes/node-2/proxy/healthz",
  "11-etcd.sh":
    "tr '\\0' '\\n' </proc/$(pidof kube-apiserver)/cmdline | grep -q 10.77.0.5 && kubectl get --raw=/readyz >/dev/null",
  "11-etcd@etcd-2.sh": isHealthy("etcd-2"),
  "11-etcd@etcd-3.sh": isHealthy("etcd-3"),
  "05-kubelet.sh": `kubectl wait --for=condition=Ready --timeout=1s "node/$(hostname)"`,
}
// After kube-controller-manager has started, a moment passes until the namespace has its ServiceAccount.
const nginxAnswers = `for try in $(seq 50); do kubectl run hello --image=nginx && break; sleep 0.2; done && kubectl wait --for=condition=Ready --timeout=60s pod/hello >/dev/null &&
  curl -sf "http://$(kubectl get pod hello -o jsonpath='{.status.podIP}')" && kubectl logs hello && kubectl exec hello -- nginx -v`

let given: Artifacts
let place: Workplace
let machine: Machine
let network: Network
let folder: string
beforeAll(async () => {
  given = await artifacts()
})
beforeEach(async () => {
  place = await workplace()
  folder = mkdtempSync(join(tmpdir(), "byhand-learner-"))
  const started = await startSandbox({ name: place.name, binds: given.binds, settings: place.settings })
  machine = started.machine
  network = started.network
})
afterEach(async () => {
  await machine.close()
  await place[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

test("the solution's scripts bring up a cluster on which nginx answers", async () => {
  cpSync(join(packageRoot, "fixtures", "solution"), folder, { recursive: true })
  await runAll()
})

test("each script of a new folder fails and prints what to write; with the hints' answers instead, nginx answers", async () => {
  await layOut(folder)
  for (const script of SCRIPTS) {
    if (script === "08-pki.sh") await typeHints()
    await copy()
    const there = await machineOf(script)
    const { exitCode, stdout, stderr } = await there.run(["sh", "-c", `cd /root/cluster && bash ./${script}`])
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringMatching(
        new RegExp(`^${script} starts nothing yet: .* here, in place of this line and the next\\.\n$`),
      ) as string,
    })

    const template = readFileSync(join(folder, script), "utf8")
    const { text: answer } = await hint(script, "3")
    writeFileSync(
      join(folder, script),
      template.replace(/echo ".*\nexit 1\n$/, () => answer),
    )
    await copy()
    await run(script)
  }
  await answers()
})

/** Nginx answers in a Pod, which is deleted again. */
async function answers(): Promise<void> {
  const { exitCode, stdout, stderr } = await machine.run(["sh", "-c", nginxAnswers])
  expect(stdout, stderr).toContain("Welcome to nginx!")
  expect(exitCode).toBe(0)
  await machine.run(["sh", "-c", "kubectl delete pod hello --grace-period=1"])
}

/** A person types the hints of lessons without scripts. These hints must run as they are printed. */
async function typeHints(): Promise<void> {
  await answers()
  const typed = lessons.filter(({ parts }) => parts.every(({ script, on }) => script === undefined && on === undefined))
  for (const lesson of typed.map(lessonId)) {
    const { text } = await hint(lesson, "3")
    const log = `/var/log/byhand/${lesson}.log`
    const { exitCode } = await machine.run(["sh", "-c", `bash -e >${log} 2>&1`], { input: text, timeout: 90_000 })
    expect(exitCode, await lastOf(log)).toBe(0)
  }
  await machine.run(["sh", "-c", "kubectl delete pod --all --grace-period=1"])
}

test("a script of the solution can run again after its component was killed", async () => {
  cpSync(join(packageRoot, "fixtures", "solution"), folder, { recursive: true })
  await copy()
  await run("01-etcd.sh")
  await run("02-apiserver.sh")
  await run("04-scheduler.sh")
  const token = await machine.run(["cat", "/root/.kube/config", "/etc/kubernetes/pki/ca.crt"])
  await machine.run(["sh", "-c", "kill -9 $(pidof kube-apiserver)"])
  await run("02-apiserver.sh")
  expect(await machine.run(["cat", "/root/.kube/config", "/etc/kubernetes/pki/ca.crt"])).toEqual(token)
})

/** Runs every script in order, and waits for each component before the next. Then runs a Pod. */
async function runAll(): Promise<void> {
  await copy()
  for (const script of SCRIPTS) await run(script)
  const { exitCode, stdout, stderr } = await machine.run(["sh", "-c", nginxAnswers])
  expect(stdout, stderr).toContain("Welcome to nginx!")
  expect(exitCode).toBe(0)
}

/** Copies the folder to the path on each machine where a learner's scripts run. File modes are kept. */
async function copy(): Promise<void> {
  const machines = new Set(await Promise.all(SCRIPTS.map(machineOf)))
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())) {
    const path = join(entry.parentPath, entry.name)
    const target = join("/root/cluster", path.slice(folder.length))
    for (const one of machines) await one.write(target, readFileSync(path), statSync(path).mode & 0o777)
  }
}

/** The machine on which a script runs. */
async function machineOf(script: string): Promise<Machine> {
  const [, name] = /@(.*)\.sh$/.exec(script) ?? []
  return name === undefined ? machine : network.machine(name)
}

/** Starts a script, and waits until its component works or the script fails. */
async function run(script: string): Promise<void> {
  const works = WORKS[script]
  if (works === undefined)
    throw new Error(`Add a command to WORKS that succeeds when the component of ${script} works.`)
  const there = await machineOf(script)
  if (script === "05-containerd.sh" || script === "10-node@node-2.sh") await fillRegistry(there)
  const log = `/var/log/byhand/${script}.log`
  const { exit } = await there.spawn(["sh", "-c", `cd /root/cluster && exec bash ./${script}`], { log })
  const failed = exit.then(({ code }) => (code === 0 ? new Promise<number>(() => undefined) : (code ?? 1)))
  const ready = there
    .run(["sh", "-c", `for _ in $(seq 300); do if ${works}; then exit 0; fi; sleep 0.1; done; exit 1`])
    .then(({ exitCode }) => exitCode)
  const exitCode = await Promise.race([failed, ready])
  expect(exitCode, await lastOf(log, there)).toBe(0)
}

async function lastOf(log: string, there = machine): Promise<string> {
  return (await there.read(log)).toString().slice(-3_000)
}

/** Starts and fills the image registry, as the suite does before the scripts that start containerd. */
async function fillRegistry(there: Machine): Promise<void> {
  await there.spawn(argvOf(reference.registry), { log: "/var/log/byhand/registry.log" })
  const pushes = [REFERENCES.pause, REFERENCES.nginx, REFERENCES.coredns].map(
    (image) => `crane push ${archivePath(image)} 127.0.0.1:5000/${image.split("/").slice(1).join("/")} --insecure`,
  )
  const { exitCode, stderr } = await there.run([
    "sh",
    "-ec",
    ["until curl -sf http://127.0.0.1:5000/v2/; do sleep 0.1; done", ...pushes].join("\n"),
  ])
  expect(exitCode, stderr).toBe(0)
}

import { canRun, Cluster } from "../clusters/cluster.ts"
import { httpGet } from "../clients/http-get.ts"
import { listeners } from "../clients/sockets.ts"
import type { Component, ComponentName } from "../components/component.ts"
import type { Machine } from "../machines/machine.ts"
import type { Settings } from "../base/settings.ts"
import { nameOf, settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { accessOf, allRuns, hasKubeconfig, kubeconfigOf, kubernetesOf, theRun, type Access, type Run } from "./runs.ts"
import { table } from "./table.ts"

interface ComponentStatus {
  readonly name: ComponentName
  readonly running: boolean
  readonly pid: number | null
  readonly ready: boolean
}

interface RunStatus {
  readonly name: string
  readonly since: Date
  readonly kubernetes: string | null
  readonly kubeconfig: string | null
  readonly components: readonly ComponentStatus[]
}

/** What runs, as its processes and ports tell; nothing that was remembered. @throws UsageError where the one named is not up */
export async function status(options: CommonOptions): Promise<Outcome> {
  const settings = settingsOf(options)
  const runs = options.name === undefined ? await allRuns(settings) : [await theRun(settings, nameOf(options))]
  const found = await Promise.all(runs.map((run) => statusOf(run, settings)))
  const isHalf = ({ components }: RunStatus) =>
    components.some(({ running }) => running) && !components.every(({ ready }) => ready)
  return {
    text: found.length === 0 ? "No cluster is up. Start one with: npx byhand up\n" : found.map(describe).join("\n"),
    data: found,
    exitCode: found.some(isHalf) ? 1 : 0,
  }
}

async function statusOf({ name, machine, folder, since }: Run, settings: Settings): Promise<RunStatus> {
  const [access, processes] = await Promise.all([
    accessOf(machine),
    machine.run(["sh", "-c", "grep -sH '' /proc/[0-9]*/comm"]),
  ])
  const components = new Cluster({ machine, images: undefined, patience: settings.patience }).parts
    .map(({ component }) => component)
    .filter((component) => canRun(component.name, machine))
  return {
    name,
    since,
    kubernetes: (await kubernetesOf(machine, access)) ?? null,
    kubeconfig: (await hasKubeconfig(folder)) ? kubeconfigOf(folder) : null,
    components: await Promise.all(
      components.map((component) => statusOfComponent(machine, component, processes.stdout, access)),
    ),
  }
}

async function statusOfComponent(
  machine: Machine,
  component: Component,
  processes: string,
  access: Access | undefined,
): Promise<ComponentStatus> {
  const pids = [...processes.matchAll(new RegExp(`^/proc/(\\d+)/comm:${component.binary}$`, "gm"))].map(([, pid]) =>
    Number(pid),
  )
  const holders = component.port === undefined ? pids : (await listeners(machine, component.port)).map(({ pid }) => pid)
  const pid = pids.find((candidate) => holders.includes(candidate)) ?? pids[0] ?? null
  const ready = pid !== null && holders.includes(pid) && (await isReady(machine, component, access))
  return { name: component.name, running: pid !== null, pid, ready }
}

async function isReady(machine: Machine, { ready }: Component, access: Access | undefined): Promise<boolean> {
  if (ready.by === "command") return (await machine.run(ready.argv)).exitCode === 0
  if (ready.tls && access === undefined) return false
  return httpGet(machine, { port: ready.port, path: ready.path, ...(ready.tls ? access : {}) }).then(
    (answer) => answer.status === 200,
    () => false,
  )
}

function describe({ name, since, kubernetes, kubeconfig, components }: RunStatus): string {
  return (
    `${name}, since ${since.toLocaleString("sv")}${kubernetes === null ? "" : `, Kubernetes ${kubernetes}`}\n` +
    (kubeconfig === null ? "" : `  KUBECONFIG=${kubeconfig}\n`) +
    table(
      components.map((component) => [
        `  ${component.name}`,
        component.pid === null ? "not running" : `pid ${component.pid}`,
        component.ready ? "ready" : component.running ? "not ready" : "",
      ]),
    )
  )
}

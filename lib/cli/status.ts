import { canRun } from "../clusters/cluster.ts"
import type { ComponentName } from "../components/component.ts"
import { isStandIn } from "../components/discovery/process.ts"
import { isReady, lookAt } from "./look.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { allRuns, hasKubeconfig, kubeconfigOf, theRun, type Run } from "./runs.ts"
import type { Observation } from "../diagnosis/observation.ts"
import type { Machine } from "../machines/machine.ts"
import type { MachineName } from "../machines/network.ts"
import type { Purpose } from "../machines/purpose.ts"
import { table } from "../base/table.ts"

interface ComponentStatus {
  readonly name: ComponentName
  readonly running: boolean
  readonly pid: number | null
  readonly ready: boolean
  /** Whether it is ours, in place of the learner's. */
  readonly standIn: boolean
}

/** A further machine of a run, with the components that run there. */
interface MachineStatus {
  readonly name: MachineName
  readonly components: readonly ComponentStatus[]
}

interface RunStatus {
  readonly name: string
  readonly since: Date
  readonly kubernetes: string | null
  readonly kubeconfig: string | null
  /** The command whose lessons use the machine; null for a cluster of `byhand up`. */
  readonly lessonsOf: Purpose["command"] | null
  /** The learner's folder; null for the project's own cluster. */
  readonly subject: string | null
  /** Whether every component is ready, except those that are not expected to run and do not run. */
  readonly isWell: boolean
  readonly components: readonly ComponentStatus[]
  readonly machines: readonly MachineStatus[]
}

/**
 * Lists the running clusters and their components. It reads processes and ports, not a stored state.
 * @throws UsageError if the cluster that --name names is not up
 */
export async function status(options: CommonOptions): Promise<Outcome> {
  const settings = settingsOf(options)
  const runs = options.name === undefined ? await allRuns(settings) : [await theRun(settings, options)]
  const found = await Promise.all(runs.map((run) => statusOf(run)))
  return {
    text: found.length === 0 ? "No cluster is up. Start one with: npx byhand up\n" : found.map(describe).join("\n"),
    data: found,
    exitCode: found.some(({ isWell }) => !isWell) ? 1 : 0,
  }
}

async function statusOf({ name, machine, network, folder, since, purpose }: Run): Promise<RunStatus> {
  const isEmpty = !(await hasKubeconfig(folder))
  const seen = await lookAt(machine, isEmpty)
  const components = componentsOf(machine, seen)
  const machines = await Promise.all(
    (await network.running()).map(async (one): Promise<MachineStatus> => {
      const further = await network.machine(one)
      const running = componentsOf(further, await lookAt(further, true)).filter(({ running }) => running)
      return { name: one, components: running }
    }),
  )
  return {
    name,
    since,
    kubernetes: seen.api?.version.replace(/^v/, "") ?? null,
    kubeconfig: isEmpty ? null : kubeconfigOf(folder),
    lessonsOf: purpose?.command ?? null,
    subject: purpose?.subject ?? null,
    isWell:
      components.every(({ running, ready }) => ready || (isEmpty && !running)) &&
      machines.every((one) => one.components.every(({ ready }) => ready)),
    components,
    machines,
  }
}

/** The components that a machine can run. */
function componentsOf(machine: Machine, seen: Observation): ComponentStatus[] {
  return seen.components
    .filter((component) => canRun(component.name, machine))
    .map((component) => ({
      name: component.name,
      running: component.state !== "absent",
      pid: component.state === "absent" ? null : component.pid,
      ready: isReady(component, seen),
      standIn: isStandIn({ env: component.env ?? {} }),
    }))
}

function describe({
  name,
  since,
  kubernetes,
  kubeconfig,
  lessonsOf,
  subject,
  components,
  machines,
}: RunStatus): string {
  return (
    `${name}, since ${since.toLocaleString("sv")}${kubernetes === null ? "" : `, Kubernetes ${kubernetes}`}\n` +
    (kubeconfig === null ? "" : `  KUBECONFIG=${kubeconfig}\n`) +
    (lessonsOf === null ? "" : `  the machine of byhand ${lessonsOf}${subject === null ? "" : ` ${subject}`}\n`) +
    tableOf(components) +
    machines
      .map(
        (one) =>
          `  machine ${one.name}${one.components.length === 0 ? ": no component runs" : ""}\n${tableOf(one.components)}`,
      )
      .join("")
  )
}

function tableOf(components: readonly ComponentStatus[]): string {
  return table(
    components.map((component) => [
      `  ${component.name}`,
      component.pid === null ? "not running" : `pid ${component.pid}`,
      component.ready ? "ready" : component.running ? "not ready" : "",
      component.standIn ? "ours, in place of the learner's" : "",
    ]),
  )
}

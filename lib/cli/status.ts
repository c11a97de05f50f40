import { canRun } from "../clusters/cluster.ts"
import type { ComponentName } from "../components/component.ts"
import { isStandIn } from "../components/discovery/process.ts"
import { isReady, lookAt } from "./look.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { allRuns, hasKubeconfig, kubeconfigOf, theRun, type Run } from "./runs.ts"
import type { Purpose } from "../machines/purpose.ts"
import { table } from "./table.ts"

interface ComponentStatus {
  readonly name: ComponentName
  readonly running: boolean
  readonly pid: number | null
  readonly ready: boolean
  /** Whether it is ours, in place of the learner's. */
  readonly standIn: boolean
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

async function statusOf({ name, machine, folder, since, purpose }: Run): Promise<RunStatus> {
  const isEmpty = !(await hasKubeconfig(folder))
  const seen = await lookAt(machine, isEmpty)
  const components = seen.components
    .filter((component) => canRun(component.name, machine))
    .map((component) => ({
      name: component.name,
      running: component.state !== "absent",
      pid: component.state === "absent" ? null : component.pid,
      ready: isReady(component, seen),
      standIn: isStandIn({ env: component.env ?? {} }),
    }))
  return {
    name,
    since,
    kubernetes: seen.api?.version.replace(/^v/, "") ?? null,
    kubeconfig: isEmpty ? null : kubeconfigOf(folder),
    lessonsOf: purpose?.command ?? null,
    subject: purpose?.subject ?? null,
    isWell: components.every(({ running, ready }) => ready || (isEmpty && !running)),
    components,
  }
}

function describe({ name, since, kubernetes, kubeconfig, lessonsOf, subject, components }: RunStatus): string {
  return (
    `${name}, since ${since.toLocaleString("sv")}${kubernetes === null ? "" : `, Kubernetes ${kubernetes}`}\n` +
    (kubeconfig === null ? "" : `  KUBECONFIG=${kubeconfig}\n`) +
    (lessonsOf === null ? "" : `  the machine of byhand ${lessonsOf}${subject === null ? "" : ` ${subject}`}\n`) +
    table(
      components.map((component) => [
        `  ${component.name}`,
        component.pid === null ? "not running" : `pid ${component.pid}`,
        component.ready ? "ready" : component.running ? "not ready" : "",
        component.standIn ? "ours, in place of the learner's" : "",
      ]),
    )
  )
}

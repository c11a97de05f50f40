import { cut } from "../base/cut.ts"
import { dependenciesOf } from "../components/registry.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"
import type { Foreseen } from "../failures/wait.ts"
import { kubeletOf } from "./facts.ts"
import type { Observation } from "./observation.ts"
import { hider } from "./secrets.ts"
import { componentOf, isUnwell, UNLESS_RESTARTED, type Symptom } from "./symptom.ts"
import { absent, SCRIPT_RUNS_ON } from "./symptoms/absent.ts"
import { access, clients } from "./symptoms/access.ts"
import { apiserver } from "./symptoms/apiserver.ts"
import { configFiles } from "./symptoms/config-files.ts"
import { configuration } from "./symptoms/configuration.ts"
import { containerd } from "./symptoms/containerd.ts"
import { controllerManager } from "./symptoms/controller-manager.ts"
import { credentials } from "./symptoms/credentials.ts"
import { etcd } from "./symptoms/etcd.ts"
import { etcdCluster, etcdMembers } from "./symptoms/etcd-cluster.ts"
import { images } from "./symptoms/images.ts"
import { kubelet } from "./symptoms/kubelet.ts"
import { machine } from "./symptoms/machine.ts"
import { network } from "./symptoms/network.ts"
import { pki } from "./symptoms/pki.ts"
import { pods } from "./symptoms/pods.ts"
import { lastWords } from "./symptoms/last-words.ts"
import { kubeProxy, services } from "./symptoms/services.ts"
import { scheduler } from "./symptoms/scheduler.ts"
import { continuations, scriptText } from "./symptoms/script-text.ts"
import { scripts } from "./symptoms/scripts.ts"
import { impostors, strangers } from "./symptoms/strangers.ts"
import { componentVersions, kubectlVersion } from "./symptoms/versions.ts"

/**
 * Every known problem. The first row that fits explains most: the machine before the components, a component before
 * those that depend on it, and a bare absence last.
 */
export const catalogue: readonly Symptom[] = [
  impostors,
  machine,
  scriptText,
  scripts,
  continuations,
  configuration,
  configFiles,
  etcdCluster,
  etcd,
  pki,
  credentials,
  apiserver,
  access,
  kubectlVersion,
  scheduler,
  controllerManager,
  kubeProxy,
  containerd,
  kubelet,
  network,
  services,
  images,
  pods,
  clients,
  etcdMembers,
  strangers,
  componentVersions,
  lastWords,
  absent,
].flat()

/** Characters of a logged line that evidence shows. */
const LONGEST_EVIDENCE = 300
/** Last lines of a log that are shown where no known cause fits. */
const LAST_LINES = 8

/** What is found in an observation, the most telling first; one finding for each id and component. */
export function diagnose(seen: Observation): Finding[] {
  const found = matches(seen, catalogue).map(({ finding }) => finding)
  const canExplain = explains(seen.failure)
  return [...found.filter(canExplain), ...found.filter((finding) => !canExplain(finding))]
}

/**
 * Whether a finding can explain a failure: the problem of a component that the failed one does not depend on is a
 * consequence, or has nothing to do with it.
 */
export function explains(failure: Failure | undefined): (finding: Finding) => boolean {
  if (failure === undefined || !("log" in failure)) return () => true
  const concerned = dependenciesOf([failure.name]).map(({ name }) => name)
  return ({ component }) => component === undefined || concerned.includes(component)
}

/** Whether a finding says only that a script waits: what it waits for can be on another machine. */
export function isOnlyWaiting({ id }: Finding): boolean {
  return id === SCRIPT_RUNS_ON
}

/** The rows that can end a wait. */
const lasting = catalogue.filter((row) => row.lasting !== undefined)

/** The findings that no time heals, the most telling first. */
export function foreseen(seen: Observation): Foreseen[] {
  return matches(seen, lasting).flatMap(({ row, finding }) => {
    const milliseconds = typeof row.lasting === "function" ? row.lasting(seen) : row.lasting
    const isHealing = milliseconds === UNLESS_RESTARTED && runsStaticPods(seen)
    return milliseconds === undefined || isHealing ? [] : [{ finding, lasting: milliseconds }]
  })
}

/** Whether a kubelet starts components again, each time after a longer delay: up to five minutes. */
function runsStaticPods(seen: Observation): boolean {
  return componentOf(seen, "kubelet")?.state === "running" && kubeletOf(seen).staticPods !== undefined
}

/** The rows that match, with their findings; the first of each id and component. */
function matches(seen: Observation, rows: readonly Symptom[]): { row: Symptom; finding: Finding }[] {
  const hide = hider(seen)
  const found = new Map<string, { row: Symptom; finding: Finding }>()
  for (const row of rows) {
    const key = `${row.component} ${row.id}`
    const finding = found.has(key) ? undefined : row.find(seen)
    if (finding === undefined) continue
    const evidence = hide(finding.evidence)
    found.set(key, {
      row,
      finding: {
        ...finding,
        cause: hide(finding.cause),
        remedy: hide(finding.remedy),
        look: hide(finding.look),
        evidence: cut(evidence, LONGEST_EVIDENCE),
      },
    })
  }
  return [...found.values()]
}

/** Every component that is not well. */
export function unwell(seen: Observation): Unwell[] {
  const hide = hider(seen)
  return seen.components.filter(isUnwell).map(({ name, state, answer, logPath, log }) => ({
    name,
    logPath: state === "absent" && log.length === 0 ? undefined : logPath,
    lastLines: log.slice(-LAST_LINES).map(hide),
    state:
      state === "absent"
        ? "does not run"
        : state === "stopped"
          ? "is frozen (SIGSTOP)"
          : `is not well: ${hide(answer?.text.split("\n")[0] ?? "")}`,
  }))
}

import { withFlags, type Component, type ComponentName, type FlagChanges } from "../../components/component.ts"
import type { ToolName } from "../../binaries/versions.ts"
import type { MachineName } from "../../machines/network.ts"
import type { Brought } from "./brought.ts"

/** One thing that is broken on purpose, and its predicted results. It is one row of the matrix. */
export interface Sabotage {
  /** In kebab case. */
  readonly id: string
  /** What is broken, as a clause: "another program already uses etcd's client port". */
  readonly breaks: string
  /** The further machine on which it happens; the first machine by default. */
  readonly on?: MachineName
  /** Changes to the description of a component. They apply from the component's first start on. */
  readonly component?: { readonly [name in ComponentName]?: (component: Component) => Component }
  /** Programs that PATH finds before the project's own of the same name. */
  readonly brings?: Brought
  /** A program of the project that the machine has in other lessons only. PATH finds it. */
  readonly tool?: ToolName
  /** A program of this folder, as it was built (.mjs). The script finds it in /tmp. */
  readonly sends?: string
  /**
   * Lines for the machine's shell (sh -e, as root). End a background command with `&` and send its output to a file.
   */
  readonly script?: string
  /**
   * The script runs just before the body of this test, when the test's components are up: "03 a ConfigMap that". By
   * default the script runs as soon as the machine has started.
   */
  readonly before?: string
  /**
   * The tests that must fail. Each is named as above: the lesson's number and the beginning of the test's title. A
   * later one may be blocked instead, if it waits and meets the cause that the card of an earlier one names.
   */
  readonly fails: readonly string[]
  /**
   * A lesson's number. From this lesson on, every test after the first failed test must be "blocked", or "failed" with
   * the same finding. By default no test is blocked.
   */
  readonly blocks?: number
  /** The first lesson that runs; by default the first that the sabotage can affect. */
  readonly from?: number
  /**
   * The first test of the lesson `from` that runs. Earlier tests of that lesson are skipped: the sabotage acts later,
   * so that it cannot affect them. By default all run.
   */
  readonly since?: string
  /** The last test of that lesson that runs: later ones would fail without showing the cause. By default all run. */
  readonly thru?: string
  /** The last lesson that runs; all lessons by default. Later lessons would only fail slowly for the same reason. */
  readonly until?: number
  /**
   * Lines for the machine's shell that undo the script, for a sabotage that the doctor must find. After them, the next
   * sabotage can use the same cluster. If the doctor still finds something, the next sabotage gets a new cluster.
   */
  readonly undo?: string
  /** Its other results in a learner's folder. There kube-apiserver is ready when a kubeconfig gives full access. */
  readonly byScripts?: Pick<Sabotage, "fails" | "blocks" | "thru">
  /** Why scripts of a learner's folder cannot make this mistake, if that does not follow from the other fields. */
  readonly ownClusterOnly?: string
  /**
   * Id of the finding. Each failed test's card must show it. If no test must fail, `byhand doctor` must show it.
   * "none": the output must say that no known cause matches.
   */
  readonly finding: string
}

/** Returns a function that changes a component's flags: null removes a flag, "" sets a flag without a value. */
export function flags(changes: FlagChanges): (component: Component) => Component {
  return (component) => withFlags(component, changes)
}

/** Returns a function that changes one file of a component. */
export function file(path: string, change: (content: string) => string): (component: Component) => Component {
  return (component) => ({
    ...component,
    files: component.files.map((one) => (one.path === path ? { ...one, content: change(one.content) } : one)),
  })
}

/**
 * The lesson ends with the last outcome that must fail, unless all that follow are blocked: the later outcomes need
 * further machines, and would only show that they pass.
 */
export function upToTheLast(sabotage: Sabotage): Sabotage {
  const last = sabotage.fails.at(-1)
  return sabotage.blocks !== undefined || last === undefined ? sabotage : { ...sabotage, thru: last }
}

/**
 * A script that starts a program in the background. The program listens on a port and never answers. The default host
 * is loopback.
 */
export function listen(port: number, host = "127.0.0.1"): string {
  return `/run/byhand/node -e 'require("net").createServer().listen(${port}, "${host}")' >/dev/null 2>&1 &
until ss -Htln sport = :${port} | grep -q .; do sleep 0.05; done`
}

/** A script that creates the lease of a leader that does not run. It is valid for an hour. */
export function deadLeader(component: ComponentName): string {
  return `kubectl create -f - <<EOF
{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "${component}", "namespace": "kube-system"},
 "spec": {"holderIdentity": "elsewhere_ghost", "leaseDurationSeconds": 3600, "acquireTime": "$(date -u +%FT%T.000000Z)", "renewTime": "$(date -u +%FT%T.000000Z)"}}
EOF`
}

/** Lines that remove all objects named web, and all events. */
export const REMOVE_WEB = `kubectl delete pod,deployment,replicaset,service web --ignore-not-found --grace-period=1
kubectl delete events --all`

import { Pace } from "../base/pace.ts"
import type { Access } from "../components/discovery/access.ts"
import type { Machine, Result } from "../machines/machine.ts"

/**
 * How long a kubelet may take to register its Node once kube-apiserver answers (milliseconds). It tries again after at
 * most seven seconds (kubelet: kubelet_node_status.go).
 */
const REGISTRATION = 10_000
const POLL_INTERVAL = 100

type Kubectl = (...words: readonly string[]) => Promise<Result>

/** The Nodes of a learner's cluster: which of them must not be there any more, and which are there too early. */
export class Nodes {
  readonly #machine: Machine
  readonly #access: () => Promise<Access>
  /** Whether Nodes of an earlier attempt exist, on a machine that was used before. */
  #hasOld = false
  /** Whether the Nodes are cordoned; undefined if that is not known, on a machine that was used before. */
  #isCordoned: boolean | undefined = false
  /** How many outcomes may still wait for a Node. A kubelet without a kubeconfig never registers one. */
  #waits = 3

  constructor(machine: Machine, access: () => Promise<Access>) {
    this.#machine = machine
    this.#access = access
  }

  /** The machine was used before: it is not known whether its Nodes are cordoned. */
  forget(): void {
    this.#isCordoned = undefined
  }

  /** The kubelet of an earlier attempt has ended. What it has registered is of no use. */
  outdate(): void {
    this.#hasOld = true
  }

  /**
   * Deletes the Nodes of an earlier attempt, if there are any. Otherwise the lessons would accept one as that of the
   * next kubelet. kube-apiserver must run.
   */
  async deleteOld(): Promise<void> {
    if (!this.#hasOld) return
    const kubectl = await kubectlOn(this.#machine, this.#access)
    if (kubectl === undefined) return
    this.#hasOld = (await kubectl("delete", "node", "--all")).exitCode !== 0
  }

  /**
   * One script may start all components at once. Then a Node exists before a lesson needs it, and no Pod may be
   * scheduled to it before that lesson. A kubelet can register its Node seconds after kube-apiserver has answered.
   * @param isEarly whether no lesson needs a Node yet
   * @param isAwaited whether something would schedule Pods to a Node that comes later
   */
  async cordon(isEarly: boolean, isAwaited: boolean): Promise<void> {
    if (isEarly === this.#isCordoned) return
    const kubectl = await kubectlOn(this.#machine, this.#access)
    if (kubectl === undefined) return
    const pace = new Pace(POLL_INTERVAL)
    for (const deadline = performance.now() + REGISTRATION; ; await pace.pause()) {
      const { stdout } = await kubectl("get", "nodes", "--output=name")
      const nodes = stdout.split("\n").filter((name) => name !== "")
      if (nodes.length > 0) {
        const { exitCode } = await kubectl(isEarly ? "cordon" : "uncordon", ...nodes)
        if (exitCode === 0) this.#isCordoned = isEarly
        return
      }
      if (!isEarly || !isAwaited || this.#waits === 0) return
      if (performance.now() > deadline) {
        this.#waits--
        return
      }
    }
  }
}

/** Deletes the objects that an interrupted lesson has left in the cluster. kube-apiserver must run. */
export async function tidy(machine: Machine, access: () => Promise<Access>): Promise<void> {
  const kubectl = await kubectlOn(machine, access)
  if (kubectl === undefined) return
  await Promise.all([
    kubectl("delete", "pods,configmaps,secrets", "--all", "--force", "--grace-period=0", "--wait=false"),
    kubectl("delete", "deployments,replicasets,jobs", "--all", "--wait=false"),
    kubectl("delete", "namespace/demo", "--ignore-not-found", "--wait=false"),
    kubectl("delete", "node/paper", "--ignore-not-found"),
    kubectl("delete", "lease/paper", "--namespace=kube-node-lease", "--ignore-not-found"),
    ...["kube-scheduler", "kube-controller-manager"].map((name) =>
      kubectl("delete", `lease/${name}`, "--namespace=kube-system", "--ignore-not-found"),
    ),
  ])
}

/** kubectl as an administrator; undefined if no kubeconfig gives full access, which the lessons will report. */
async function kubectlOn(machine: Machine, access: () => Promise<Access>): Promise<Kubectl | undefined> {
  const found = await access().catch(() => undefined)
  if (found === undefined) return undefined
  return (...words) =>
    machine.run(["kubectl", "--request-timeout=5s", ...words], { env: { KUBECONFIG: found.kubeconfig } })
}

import { setTimeout as sleep } from "node:timers/promises"
import type { Kubernetes } from "./kubernetes.ts"

/** Time between two heartbeats (milliseconds). */
const HEARTBEAT = 300
const NAMESPACE = "kube-node-lease"

/**
 * A Node without a machine: it says that it is Ready, and renews its lease, as a kubelet does. It runs nothing: no Pod
 * is scheduled to it.
 * @returns what ends the heartbeats, and deletes the Node and its lease
 */
export async function paperKubelet({ core, coordination }: Kubernetes, name: string): Promise<AsyncDisposable> {
  const status = { conditions: [{ type: "Ready", status: "True", reason: "OnPaper" }] }
  await core.createNode({ body: { metadata: { name }, spec: { unschedulable: true }, status } })
  const { V1MicroTime } = await import("@kubernetes/client-node")
  const renewed = () => ({ holderIdentity: name, leaseDurationSeconds: 40, renewTime: new V1MicroTime() })
  const created = { metadata: { name, namespace: NAMESPACE }, spec: renewed() }
  let lease = await coordination.createNamespacedLease({ namespace: NAMESPACE, body: created })
  let stopped = false
  const beating = (async () => {
    while (!stopped) {
      await sleep(HEARTBEAT)
      lease.spec = renewed()
      lease = await coordination.replaceNamespacedLease({ name, namespace: NAMESPACE, body: lease })
    }
  })()
  // If a heartbeat fails, the Node becomes NotReady, and the test that needs it reports that.
  const ended = beating.catch(() => undefined)
  return {
    [Symbol.asyncDispose]: async () => {
      stopped = true
      await ended
      await coordination.deleteNamespacedLease({ name, namespace: NAMESPACE })
      await core.deleteNode({ name })
    },
  }
}

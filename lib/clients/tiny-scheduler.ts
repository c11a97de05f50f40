import { setTimeout as sleep } from "node:timers/promises"
import type { Kubernetes } from "./kubernetes.ts"

/**
 * A minimal scheduler. It binds each Pod that names this scheduler and has no Node yet to the first Node of the
 * cluster.
 */
export function tinyScheduler({ core }: Kubernetes, schedulerName: string): AsyncDisposable {
  let stopped = false
  const scheduling = (async () => {
    while (!stopped) {
      const [node] = (await core.listNode()).items
      const pods = (
        await core.listPodForAllNamespaces({ fieldSelector: `spec.schedulerName=${schedulerName},spec.nodeName=` })
      ).items
      for (const { metadata } of node === undefined ? [] : pods) {
        const [name = "", namespace = ""] = [metadata?.name, metadata?.namespace]
        const target = { apiVersion: "v1", kind: "Node", name: node?.metadata?.name ?? "" }
        await core.createNamespacedPodBinding({ name, namespace, body: { metadata: { name, namespace }, target } })
      }
      await sleep(50)
    }
  })()
  // If the scheduler fails, Pods stay unbound, and the test that waits for a bound Pod reports that.
  const ended = scheduling.catch(() => undefined)
  return {
    [Symbol.asyncDispose]: async () => {
      stopped = true
      await ended
    },
  }
}

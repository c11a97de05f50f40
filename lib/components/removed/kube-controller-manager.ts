import { each, insecureFlags, klogFlags, type RemovedByName } from "./removed.ts"

/** Flags of kube-controller-manager that it no longer has. */
export const removedFlags: RemovedByName = {
  ...klogFlags,
  ...insecureFlags(["--port", "--address"]),
  ...each(["--pod-eviction-timeout"], {
    since: "Kubernetes 1.27",
    instead:
      "Leave it out: a Pod's own tolerations say how long it stays on a Node that is not ready. kube-apiserver sets the default: --default-unreachable-toleration-seconds, --default-not-ready-toleration-seconds.",
  }),
  ...each(["--enable-taint-manager"], {
    since: "Kubernetes 1.27",
    instead: "Leave it out: Pods are always evicted by taints.",
  }),
}

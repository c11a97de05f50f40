import { each, klogFlags, type ConfigVersion, type RemovedByName } from "./removed.ts"

/** Flags of kube-proxy that it no longer has. */
export const removedFlags: RemovedByName = {
  ...klogFlags,
  ...each(["--healthz-port", "--metrics-port"], {
    since: "Kubernetes 1.32",
    instead: "Write the port behind the address: --healthz-bind-address=IP:PORT, --metrics-bind-address=IP:PORT.",
  }),
  ...each(["--udp-timeout"], {
    since: "Kubernetes 1.26",
    instead: "Leave it out: it belonged to the proxy in user space, which no longer exists.",
  }),
}

/** The versions of kube-proxy's configuration file. */
export const configVersions: Readonly<Record<string, ConfigVersion>> = {
  KubeProxyConfiguration: { current: "kubeproxy.config.k8s.io/v1alpha1" },
}

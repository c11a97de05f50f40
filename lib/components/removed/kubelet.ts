import { each, klogFlags, type ConfigVersion, type RemovedByName } from "./removed.ts"

const dockershim = {
  since: "Kubernetes 1.24, with the dockershim",
  instead: "The container runtime configures the network now: its configuration names the CNI folders.",
}

/** Flags of the kubelet that it no longer has. */
export const removedFlags: RemovedByName = {
  ...klogFlags,
  "--pod-infra-container-image": {
    since: "Kubernetes 1.35",
    instead: "The container runtime's configuration names the sandbox's image now.",
  },
  "--register-schedulable": { since: "Kubernetes 1.34", instead: "Use --register-with-taints." },
  "--cloud-config": {
    since: "Kubernetes 1.34",
    instead: "Leave it out: a cloud's own controller-manager does that work.",
  },
  "--keep-terminated-pod-volumes": { since: "Kubernetes 1.31", instead: "Leave it out." },
  "--container-runtime": {
    since: "Kubernetes 1.27",
    instead: "Leave it out, and name the runtime's socket: containerRuntimeEndpoint in the --config file.",
  },
  ...each(["--dynamic-config-dir"], {
    since: "Kubernetes 1.26",
    instead: "Write the settings into the --config file.",
  }),
  ...each(
    [
      "--network-plugin",
      "--network-plugin-mtu",
      "--cni-bin-dir",
      "--cni-conf-dir",
      "--cni-cache-dir",
      "--docker-endpoint",
      "--image-pull-progress-deadline",
      "--experimental-dockershim-root-directory",
      "--non-masquerade-cidr",
    ],
    dockershim,
  ),
  ...each(["--experimental-kernel-memcg-notification"], {
    since: "Kubernetes 1.24",
    instead: "Use kernelMemcgNotification in the --config file.",
  }),
  ...each(["--redirect-container-streaming"], { since: "Kubernetes 1.20", instead: "Leave it out." }),
  ...each(["--containerized"], { since: "Kubernetes 1.16", instead: "Run the kubelet as a process of the host." }),
  ...each(["--require-kubeconfig"], { since: "Kubernetes 1.10", instead: "Leave it out: --kubeconfig is enough." }),
  ...each(["--api-servers"], { since: "Kubernetes 1.8", instead: "Name a kubeconfig: --kubeconfig=FILE." }),
  "--allow-privileged": {
    since: "Kubernetes 1.15",
    instead: "Leave it out: kube-apiserver's --allow-privileged decides.",
  },
  "--cadvisor-port": {
    since: "Kubernetes 1.12",
    instead: "Leave it out: the kubelet's own port serves /metrics/cadvisor.",
  },
}

/** The versions of the kubelet's configuration files. */
export const configVersions: Readonly<Record<string, ConfigVersion>> = {
  KubeletConfiguration: {
    current: "kubelet.config.k8s.io/v1beta1",
    removed: { "kubelet.config.k8s.io/v1alpha1": "1.10" },
  },
  CredentialProviderConfig: {
    current: "kubelet.config.k8s.io/v1",
  },
}

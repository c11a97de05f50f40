import { each, insecureFlags, klogFlags, type ConfigVersion, type RemovedByName } from "./removed.ts"

const profile = {
  since: "Kubernetes 1.23",
  instead: "Write a KubeSchedulerConfiguration with profiles, and name it with --config.",
}

/** Flags of kube-scheduler that it no longer has. */
export const removedFlags: RemovedByName = {
  ...klogFlags,
  ...insecureFlags(["--port", "--address"]),
  ...each(
    [
      "--algorithm-provider",
      "--policy-config-file",
      "--policy-configmap",
      "--policy-configmap-namespace",
      "--use-legacy-policy-config",
    ],
    profile,
  ),
}

const removed = { v1alpha1: "1.19", v1alpha2: "1.21", v1beta1: "1.23", v1beta2: "1.28", v1beta3: "1.29" }

/** The versions of kube-scheduler's configuration file. */
export const configVersions: Readonly<Record<string, ConfigVersion>> = {
  KubeSchedulerConfiguration: {
    current: "kubescheduler.config.k8s.io/v1",
    removed: Object.fromEntries(
      Object.entries(removed).map(([version, since]) => [`kubescheduler.config.k8s.io/${version}`, since]),
    ),
  },
}

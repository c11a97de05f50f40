import type { ComponentName } from "../components/registry.ts"

interface Removed {
  /** The first version without the flag. */
  readonly since: string
  /** What to do instead, as a sentence. */
  readonly instead: string
}

const insecure = {
  since: "Kubernetes 1.24",
  instead: "It serves only over TLS now: use --secure-port and --bind-address.",
}
const dockershim = {
  since: "Kubernetes 1.24, with the dockershim",
  instead: "The container runtime configures the network now: its configuration names the CNI folders.",
}
const policy = { since: "Kubernetes 1.23", instead: "Write a KubeSchedulerConfiguration and name it with --config." }
const feature = (gate: string): Removed => ({
  since: "etcd 3.7",
  instead: `It is a feature gate now: --feature-gates=${gate}=true.`,
})

/**
 * Flags that old instructions still name, by component. From the changelogs of the projects; the current binaries
 * refuse each of them.
 */
const flags: Partial<Readonly<Record<ComponentName, Readonly<Record<string, Removed>>>>> = {
  etcd: {
    "--enable-v2": { since: "etcd 3.6", instead: "Leave it out: there is no v2 API any more." },
    "--proxy": { since: "etcd 3.6", instead: "Start etcd grpc-proxy, or etcd gateway, instead." },
    "--experimental-initial-corrupt-check": feature("InitialCorruptCheck"),
    "--experimental-compact-hash-check-enabled": feature("CompactHashCheck"),
    "--experimental-stop-grpc-service-on-defrag": feature("StopGRPCServiceOnDefrag"),
  },
  "kube-apiserver": {
    "--insecure-port": insecure,
    "--insecure-bind-address": insecure,
    "--port": insecure,
    "--address": insecure,
    "--cloud-provider": {
      since: "Kubernetes 1.33",
      instead: "Leave it out: a cloud's own controller-manager does that work.",
    },
    "--cloud-config": {
      since: "Kubernetes 1.33",
      instead: "Leave it out: a cloud's own controller-manager does that work.",
    },
    "--service-account-api-audiences": { since: "Kubernetes 1.25", instead: "Use --api-audiences." },
    "--master-service-namespace": {
      since: "Kubernetes 1.27",
      instead: "Leave it out: the Service kubernetes is in the namespace default.",
    },
    "--basic-auth-file": {
      since: "Kubernetes 1.19",
      instead: "Use tokens (--token-auth-file) or client certificates (--client-ca-file).",
    },
  },
  "kube-scheduler": {
    "--port": insecure,
    "--address": insecure,
    "--policy-config-file": policy,
    "--policy-configmap": policy,
    "--use-legacy-policy-config": policy,
  },
  kubelet: {
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
    "--network-plugin": dockershim,
    "--cni-bin-dir": dockershim,
    "--cni-conf-dir": dockershim,
    "--docker-endpoint": dockershim,
    "--allow-privileged": {
      since: "Kubernetes 1.15",
      instead: "Leave it out: kube-apiserver's --allow-privileged decides.",
    },
    "--cadvisor-port": {
      since: "Kubernetes 1.12",
      instead: "Leave it out: the kubelet's own port serves /metrics/cadvisor.",
    },
  },
}

/** When a component's flag went, and what came in its place; undefined where it is not known to have existed. */
export function removed(name: ComponentName, flag: string): Removed | undefined {
  const known = flags[name]?.[flag]
  if (known !== undefined || name !== "etcd" || !flag.startsWith("--experimental-")) return known
  return {
    since: "etcd 3.7",
    instead: `Use ${flag.replace("experimental-", "")}, or a feature gate of that name (--feature-gates).`,
  }
}

import type { KubeadmCluster } from "./kubeadm-cluster.ts"
import { KUBELET_CONFIG } from "./typed.ts"

/** What a phase of `kubeadm init` does, and how its result can be seen. */
export interface Phase {
  /** Its name, as `kubeadm init --help` prints it. */
  readonly name: string
  /** What it does, for a learner. */
  readonly does: string
  /** What it leaves behind; undefined if it leaves nothing of its own. */
  readonly leaves?: Trace
}

/** A file, a process or an object. Of several files, the last one counts. */
type Trace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "process"; readonly program: string }
  | { readonly kind: "object"; readonly resource: string; readonly namespace: string }

const PKI = "/etc/kubernetes/pki"
const MANIFESTS = "/etc/kubernetes/manifests"

/**
 * The phases of `kubeadm init`, in order.
 * https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init-phase/
 */
export const PHASES: readonly Phase[] = [
  { name: "preflight", does: "checks the machine, and pulls the images" },
  { name: "certs", does: "makes CAs, certificates and keys", leaves: { kind: "file", path: `${PKI} -type f` } },
  {
    name: "kubeconfig",
    does: "writes kubeconfigs for the components and for the administrator",
    leaves: { kind: "file", path: "/etc/kubernetes/*.conf ! -name kubelet.conf" },
  },
  { name: "etcd", does: "describes etcd as a static Pod", leaves: { kind: "file", path: `${MANIFESTS}/etcd.yaml` } },
  {
    name: "control-plane",
    does: "describes kube-apiserver, kube-controller-manager and kube-scheduler as static Pods",
    leaves: { kind: "file", path: `${MANIFESTS}/kube-*.yaml` },
  },
  {
    name: "kubelet-start",
    does: "writes the kubelet's configuration, and starts it",
    leaves: { kind: "file", path: KUBELET_CONFIG },
  },
  {
    name: "wait-control-plane",
    does: "waits until the kubelet has started the static Pods, and they are healthy",
    leaves: { kind: "process", program: "kube-apiserver" },
  },
  {
    name: "upload-config",
    does: "stores the configuration of kubeadm and of kubelets in ConfigMaps",
    leaves: { kind: "object", resource: "configmap/kubeadm-config", namespace: "kube-system" },
  },
  { name: "upload-certs", does: "stores the certificates for further control planes, if that is asked for" },
  { name: "mark-control-plane", does: "labels and taints the Node" },
  {
    name: "bootstrap-token",
    does: "makes the token with which machines join, and allows what they need",
    leaves: { kind: "object", resource: "configmap/cluster-info", namespace: "kube-public" },
  },
  {
    name: "kubelet-finalize",
    does: "lets the kubelet use a certificate that it renews itself",
    leaves: { kind: "file", path: "/etc/kubernetes/kubelet.conf" },
  },
  {
    name: "addon",
    does: "installs CoreDNS and kube-proxy",
    leaves: { kind: "object", resource: "deployment/coredns", namespace: "kube-system" },
  },
  { name: "show-join-command", does: "prints how another machine joins" },
]

/** When a phase left its trace. */
export interface Moment {
  readonly phase: string
  /** What was left, for people to read. */
  readonly left: string
  /** Whole seconds since 1970: objects and processes have no finer time. */
  readonly at: number
}

/** When each phase left its trace, in the order of the phases. */
export async function timelineOf(cluster: KubeadmCluster): Promise<Moment[]> {
  const moments = await Promise.all(
    PHASES.map(async ({ name, leaves }): Promise<Moment[]> =>
      leaves === undefined ? [] : [{ phase: name, left: textOf(leaves), at: await timeOf(leaves, cluster) }],
    ),
  )
  return moments.flat()
}

function textOf(trace: Trace): string {
  if (trace.kind === "file") return trace.path.replace(/ .*/, "")
  return trace.kind === "process" ? trace.program : trace.resource
}

async function timeOf(trace: Trace, { machine, kubectl }: KubeadmCluster): Promise<number> {
  if (trace.kind === "object") {
    const created = await kubectl(
      "get",
      trace.resource,
      "-n",
      trace.namespace,
      "-o=jsonpath={.metadata.creationTimestamp}",
    )
    return Date.parse(created) / 1_000
  }
  const line =
    trace.kind === "file"
      ? `find ${trace.path} -printf '%T@\\n'`
      : `ps -C ${trace.program} -o lstart= | while read -r started; do date -d "$started" +%s; done`
  const { stdout } = await machine.run(["sh", "-c", line])
  return Math.max(
    ...stdout
      .trim()
      .split("\n")
      .map((seconds) => Math.floor(Number(seconds))),
  )
}

/** The phases that left their trace before the phase in front of them did. */
export function outOfOrder(moments: readonly Moment[]): string[] {
  return moments.flatMap(({ phase, left, at }, index) => {
    const before = moments[index - 1]
    return before === undefined || before.at <= at
      ? []
      : [`${phase} (${left}) was before ${before.phase} (${before.left})`]
  })
}

/** The names of the phases in the help of `kubeadm init`. */
export function phasesIn(help: string): string[] {
  const [, list = ""] = /```\n([^]*?)```/.exec(help) ?? []
  return [...list.matchAll(/^([a-z-]+) /gm)].map(([, name = ""]) => name)
}

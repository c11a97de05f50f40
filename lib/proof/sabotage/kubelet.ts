import { file, flags, listen, type Sabotage } from "./sabotage.ts"

const CONFIG = "/etc/kubernetes/kubelet.yaml"
const config = (change: (text: string) => string) => ({ component: { kubelet: file(CONFIG, change) } })
const kubeletFlags = (changes: Readonly<Record<string, string | null>>) => ({ component: { kubelet: flags(changes) } })
const boots = { fails: ["05 the kubelet registers"], blocks: 5 } as const

/** What keeps the kubelet from starting, or from being this machine's Node. */
export const kubelet: readonly Sabotage[] = [
  {
    id: "kubelet-frozen-at-start",
    breaks: "the kubelet is stopped as soon as it starts, and hangs",
    script: "(until pkill -STOP -x kubelet; do sleep 0.01; done) >/dev/null 2>&1 &",
    ...boots,
    finding: "frozen",
  },
  {
    id: "kubelet-flag-removed",
    breaks: "the kubelet is given a flag that went with 1.35",
    ...kubeletFlags({ "--pod-infra-container-image": "registry.k8s.io/pause:3.10" }),
    ...boots,
    finding: "removed-flag",
  },
  {
    id: "kubelet-flag-of-dockershim",
    breaks: "the kubelet is given a flag that went with the dockershim",
    ...kubeletFlags({ "--network-plugin": "cni" }),
    ...boots,
    finding: "removed-flag",
  },
  {
    id: "kubelet-flag-mistyped",
    breaks: "a flag of the kubelet's is mistyped",
    ...kubeletFlags({ "--kubeconfig": null, "--kubecnfig": "/root/.kube/config" }),
    ...boots,
    finding: "unknown-flag",
  },
  {
    id: "kubelet-config-missing",
    breaks: "the kubelet's configuration is not where it is told",
    ...kubeletFlags({ "--config": "/etc/kubernetes/kubelet-config.yaml" }),
    ...boots,
    finding: "config-missing",
  },
  {
    id: "kubelet-config-unparsable",
    breaks: "a line of the kubelet's configuration is indented",
    ...config((text) => `${text}  maxPods: 5\n`),
    ...boots,
    finding: "config-unparsable",
  },
  {
    id: "kubelet-kubeconfig-missing",
    breaks: "the kubelet's kubeconfig is not where it is told",
    ...kubeletFlags({ "--kubeconfig": "/etc/kubernetes/kubelet.conf" }),
    ...boots,
    finding: "kubeconfig-missing",
  },
  {
    id: "kubelet-runtime-elsewhere",
    breaks: "the kubelet looks for another container runtime",
    ...config((text) => text.replace("/run/containerd/containerd.sock", "/run/crio/crio.sock")),
    ...boots,
    finding: "runtime-elsewhere",
  },
  {
    id: "kubelet-cgroup-v1",
    breaks: "the kubelet is not told that it may run with cgroup v1",
    ...config((text) => text.replace(/^failCgroupV1: .*\n/m, "")),
    ...boots,
    finding: "cgroup-v1-refused",
  },
  {
    id: "kubelet-cgroup-driver",
    breaks: "systemd is to manage cgroups, and does not run",
    component: {
      containerd: file("/etc/containerd/config.toml", (text) =>
        text.replace(
          'runtime_type = "io.containerd.runc.v2"\n',
          (line) =>
            `${line}  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]\n    SystemdCgroup = true\n`,
        ),
      ),
    },
    ...boots,
    finding: "cgroup-driver",
  },
  {
    id: "kubelet-swap",
    breaks: "the host swaps, and the kubelet refuses that by default",
    ...config((text) => text.replace(/^failSwapOn: .*\n/m, "")),
    // A machine of namespaces has its host's swap: what it shows of it is what the kubelet reads.
    script:
      "printf 'Filename Type Size Used Priority\\n/swapfile file 1048572 0 -2\\n' >/run/swaps\nmount --bind /run/swaps /proc/swaps",
    ...boots,
    finding: "swap-on",
  },
  {
    id: "kubelet-port-taken",
    breaks: "another program holds the kubelet's port",
    script: listen(10250),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "kubelet-healthz-port-taken",
    breaks: "another program holds the port on which the kubelet tells whether it is well",
    script: listen(10248),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "kubelet-key-mismatch",
    breaks: "the kubelet's certificate is another component's",
    ...config((text) => text.replace(/^tlsCertFile: .*$/m, "tlsCertFile: /etc/kubernetes/pki/apiserver.crt")),
    ...boots,
    finding: "certificate-key-mismatch",
  },
  {
    id: "kubelet-client-ca-missing",
    breaks: "the CA that the kubelet is to trust is not there",
    ...config((text) => text.replace(/clientCAFile: \S+/, "clientCAFile: /etc/kubernetes/pki/client-ca.crt")),
    ...boots,
    finding: "file-missing",
  },
  {
    id: "kubelet-standalone",
    breaks: "the kubelet is not told of kube-apiserver",
    ...kubeletFlags({ "--kubeconfig": null }),
    until: 5,
    fails: [
      "05 the kubelet registers",
      "05 a Node is a key",
      "05 it becomes Ready",
      "05 it renews",
      "05 by its sockets",
    ],
    finding: "kubelet-standalone",
  },
  {
    id: "kubelet-node-name-taken",
    breaks: "another machine of the same host name is a Node already",
    before: "05 the kubelet registers",
    script: `kubectl create -f - <<EOF
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "$(hostname)"}}
EOF`,
    fails: ["05 the kubelet registers"],
    finding: "node-name-taken",
  },
  {
    id: "kubelet-node-ip",
    breaks: "the kubelet is given an address that its machine does not have",
    ...kubeletFlags({ "--node-ip": "192.0.2.7" }),
    fails: [],
    finding: "node-ip",
  },
  {
    id: "kubelet-killed",
    breaks: "the kubelet dies",
    script: "pkill -KILL -x kubelet\nwhile pidof kubelet; do sleep 0.1; done",
    fails: [],
    finding: "not-running",
  },
]

import { KUBECONFIG_FILE } from "../../kubeconfig/kubeconfig.ts"
import { file, flags, listen, type Sabotage } from "./sabotage.ts"

const CONFIG = "/etc/kubernetes/kubelet.yaml"
const KUBECONFIG = "/etc/kubernetes/kubelet.conf"
const config = (change: (text: string) => string) => ({ component: { kubelet: file(CONFIG, change) } })
const kubeletFlags = (changes: Readonly<Record<string, string | null>>) => ({ component: { kubelet: flags(changes) } })
const boots = { fails: ["05 the kubelet registers"], blocks: 5 } as const

/** The outcomes of lesson 05 that fail if the kubelet does not register its Node. */
const UNREGISTERED = [
  "05 the kubelet registers",
  "05 a Node is a key",
  "05 it becomes Ready",
  "05 it renews",
  "05 by its sockets",
] as const

/** Sabotages that prevent the kubelet from starting or from registering this machine as a Node. */
export const kubelet: readonly Sabotage[] = [
  {
    id: "kubelet-frozen-at-start",
    breaks: "SIGSTOP stops the kubelet as soon as it starts",
    script: "(until pkill -STOP -x kubelet; do sleep 0.01; done) >/dev/null 2>&1 &",
    ...boots,
    finding: "frozen",
  },
  {
    id: "kubelet-flag-removed",
    breaks: "the kubelet gets a flag that was removed in 1.35",
    ...kubeletFlags({ "--pod-infra-container-image": "registry.k8s.io/pause:3.10" }),
    ...boots,
    finding: "removed-flag",
  },
  {
    id: "kubelet-flag-of-dockershim",
    breaks: "the kubelet gets a flag that was removed together with dockershim",
    ...kubeletFlags({ "--network-plugin": "cni" }),
    ...boots,
    finding: "removed-flag",
  },
  {
    id: "kubelet-flag-mistyped",
    breaks: "a flag of the kubelet is misspelled",
    ...kubeletFlags({ "--kubeconfig": null, "--kubecnfig": "/root/.kube/config" }),
    ...boots,
    finding: "unknown-flag",
  },
  {
    id: "kubelet-config-missing",
    breaks: "the kubelet's configuration file is not at the path that the kubelet is given",
    ...kubeletFlags({ "--config": "/etc/kubernetes/kubelet-config.yaml" }),
    ...boots,
    finding: "config-missing",
  },
  {
    id: "kubelet-config-unparsable",
    breaks: "a line of the kubelet's configuration is indented by mistake",
    ...config((text) => `${text}  maxPods: 5\n`),
    ...boots,
    finding: "config-unparsable",
  },
  {
    id: "kubelet-kubeconfig-missing",
    breaks: "the kubelet's kubeconfig is not at the path that the kubelet is given",
    ...kubeletFlags({ "--kubeconfig": "/etc/kubernetes/kubelet.conf" }),
    ...boots,
    finding: "kubeconfig-missing",
  },
  {
    id: "kubelet-runtime-elsewhere",
    breaks: "the kubelet connects to the socket of another container runtime",
    ...config((text) => text.replace("/run/containerd/containerd.sock", "/run/crio/crio.sock")),
    ...boots,
    finding: "runtime-elsewhere",
  },
  {
    id: "kubelet-cgroup-v1",
    breaks: "the kubelet's configuration does not allow cgroup v1",
    ...config((text) => text.replace(/^failCgroupV1: .*\n/m, "")),
    ...boots,
    finding: "cgroup-v1-refused",
  },
  {
    id: "kubelet-cgroup-driver",
    breaks: "the cgroup driver is systemd, and systemd does not run",
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
    breaks: "the host has swap, which the kubelet refuses by default",
    ...config((text) => text.replace(/^failSwapOn: .*\n/m, "")),
    // A sandbox shares the swap of its host. The kubelet reads /proc/swaps, so the script replaces that file.
    script:
      "printf 'Filename Type Size Used Priority\\n/swapfile file 1048572 0 -2\\n' >/run/swaps\nmount --bind /run/swaps /proc/swaps",
    ...boots,
    finding: "swap-on",
  },
  {
    id: "kubelet-port-taken",
    breaks: "another program already uses the kubelet's port",
    script: listen(10250),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "kubelet-healthz-port-taken",
    breaks: "another program already uses the kubelet's health port",
    script: listen(10248),
    ...boots,
    finding: "port-taken",
  },
  {
    id: "kubelet-key-mismatch",
    breaks: "the kubelet uses the certificate of another component",
    ...config((text) => text.replace(/^tlsCertFile: .*$/m, "tlsCertFile: /etc/kubernetes/pki/apiserver.crt")),
    ...boots,
    finding: "certificate-key-mismatch",
  },
  {
    id: "kubelet-client-ca-missing",
    breaks: "the kubelet's client CA file does not exist",
    ...config((text) => text.replace(/clientCAFile: \S+/, "clientCAFile: /etc/kubernetes/pki/client-ca.crt")),
    ...boots,
    finding: "file-missing",
  },
  {
    id: "kubelet-standalone",
    breaks: "the kubelet gets no kubeconfig, so it does not know kube-apiserver",
    ...kubeletFlags({ "--kubeconfig": null }),
    until: 5,
    fails: UNREGISTERED,
    finding: "kubelet-standalone",
  },
  {
    id: "kubelet-with-another-token",
    breaks: "the kubelet's kubeconfig contains a token that kube-apiserver does not know",
    ...kubeletFlags({ "--kubeconfig": KUBECONFIG }),
    before: "05 the kubelet registers",
    script: `sed 's/token: .*/token: some-other-token/' ${KUBECONFIG_FILE} >${KUBECONFIG}`,
    fails: [...UNREGISTERED, "06 "],
    until: 6,
    finding: "node-not-registered",
  },
  {
    id: "kubelet-sent-elsewhere",
    breaks: "the kubelet's kubeconfig names a port on which no process listens",
    ...kubeletFlags({ "--kubeconfig": KUBECONFIG }),
    before: "05 the kubelet registers",
    script: `sed s/6443/7443/ ${KUBECONFIG_FILE} >${KUBECONFIG}`,
    fails: UNREGISTERED,
    until: 5,
    finding: "node-not-registered",
  },
  {
    id: "kubelet-node-name-taken",
    breaks: "a Node with this machine's host name already exists",
    before: "05 the kubelet registers",
    script: `kubectl create -f - <<EOF
{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "$(hostname)"}}
EOF`,
    fails: ["05 the kubelet registers"],
    finding: "node-name-taken",
  },
  {
    id: "kubelet-node-ip",
    breaks: "the kubelet gets a node IP that its machine does not have",
    ...kubeletFlags({ "--node-ip": "192.0.2.7" }),
    fails: [],
    finding: "node-ip",
  },
  {
    id: "kubelet-killed",
    breaks: "the kubelet is killed",
    script: "pkill -KILL -x kubelet\nwhile pidof kubelet; do sleep 0.1; done",
    fails: [],
    finding: "not-running",
  },
]

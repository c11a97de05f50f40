import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import { CONTAINERD_SOCKET } from "./containerd.ts"
import type { ComponentSpec } from "./spec.ts"

const PORT = 10250

const CONFIG = "/etc/kubernetes/kubelet.yaml"
const HEALTHZ_PORT = 10248

/** kubelet as the workshop starts it. https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
export const kubelet: ComponentSpec<"kubelet"> = {
  name: "kubelet",
  program: "kubelet",
  scriptWord: "kubelet",
  after: ["kube-apiserver", "registry", "containerd"],
  requires: ["containers", "images"],
  tools: ["kubelet"],
  absence: "this machine is a Node that nobody stands for: Pods bound to it do not start, and those that die stay dead",
  skew: { behind: 3, ahead: 0, supported: "a kubelet up to three minor versions older, none newer" },
  describe: ({ nodeIp }) => ({
    name: "kubelet",
    binary: "kubelet",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--config", value: CONFIG },
      { flag: "--node-ip", value: nodeIp, why: "a Node's address must not be loopback" },
    ],
    files: [{ path: CONFIG, content: config }],
    port: PORT,
    ready: { by: "http", port: HEALTHZ_PORT, path: "/healthz", tls: false },
  }),
}

const config = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: ${PORT}
healthzPort: ${HEALTHZ_PORT}
tlsCertFile: ${pki.kubelet.certificate}
tlsPrivateKeyFile: ${pki.kubelet.key}
authentication:
  anonymous: { enabled: false }
  webhook: { enabled: false }
  x509: { clientCAFile: ${pki.ca.certificate} }
authorization: { mode: AlwaysAllow }
containerRuntimeEndpoint: unix://${CONTAINERD_SOCKET}
cgroupDriver: cgroupfs # no systemd runs in here
failCgroupV1: false # some hosts still have it
failSwapOn: false # whether the host swaps is not this Node's business
enforceNodeAllocatable: []
nodeLeaseDurationSeconds: 4 # renewed every second, so that a person can watch it
evictionHard: { memory.available: "50Mi", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%" } # a host's full disk is no reason to evict
imageGCHighThresholdPercent: 100
`

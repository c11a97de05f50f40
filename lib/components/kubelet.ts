import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import type { Component } from "./component.ts"
import { CONTAINERD_SOCKET } from "./containerd.ts"

const CONFIG = "/etc/kubernetes/kubelet.yaml"
const HEALTHZ_PORT = 10248

/** kubelet as the workshop starts it. https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
export function kubelet({ port, nodeIp }: { readonly port: number; readonly nodeIp: string }): Component {
  return {
    name: "kubelet",
    binary: "kubelet",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--config", value: CONFIG },
      { flag: "--node-ip", value: nodeIp, why: "a Node's address must not be loopback" },
    ],
    files: [{ path: CONFIG, content: config(port) }],
    port,
    ready: { by: "http", port: HEALTHZ_PORT, path: "/healthz", tls: false },
    lesson: 5,
  }
}

function config(port: number): string {
  return `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: ${port}
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
}

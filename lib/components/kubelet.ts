import { configVersions, removedFlags } from "./removed/kubelet.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import { CONTAINERD_SOCKET } from "./containerd.ts"
import { reachable, type Address } from "./settings/address.ts"
import { Document } from "../base/document.ts"
import type { Files } from "./settings/files.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

const PORT = 10250

const CONFIG = "/etc/kubernetes/kubelet.yaml"
const HEALTHZ_PORT = 10248

export interface KubeletSettings extends Settings {
  readonly address: Address
  /** The address of its health endpoint. */
  readonly healthz: Address
  /** The certificate that it presents to its clients. */
  readonly certificate: string
  readonly clientCa: string | undefined
  /** The name of its Node; undefined if that is the machine's host name. */
  readonly nodeName: string | undefined
  /**
   * The endpoint of the container runtime, such as unix:///run/containerd/containerd.sock; undefined for the default.
   */
  readonly runtime: string | undefined
  readonly staticPodFolder: string | undefined
}

/** kubelet as the workshop starts it. https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
export const kubelet: ComponentSpec<"kubelet", KubeletSettings> = {
  name: "kubelet",
  program: "kubelet",
  scriptWord: "kubelet",
  after: ["kube-apiserver", "registry", "containerd"],
  requires: ["containers", "images"],
  tools: ["kubelet"],
  removedFlag: (flag) => removedFlags[flag],
  configVersions,
  absence: "Pods that are bound to this Node do not start, and containers that exit are not restarted",
  skew: { behind: 3, ahead: 0, supported: "a kubelet up to three minor versions older, none newer" },
  settings,
  probe: ({ healthz }) => ({ by: "http", ...healthz, path: "/healthz" }),
  describe: ({ nodeIp }) => ({
    name: "kubelet",
    binary: "kubelet",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--config", value: CONFIG },
      { flag: "--node-ip", value: nodeIp, why: "a Node's address must not be loopback" },
    ],
    files: [{ path: CONFIG, content: config }],
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
cgroupDriver: cgroupfs # no systemd runs on this machine
failCgroupV1: false # some hosts still have cgroup v1
failSwapOn: false # the host may use swap
enforceNodeAllocatable: []
nodeLeaseDurationSeconds: 4 # the kubelet renews the Lease every second, so that a person can watch it
evictionHard: { memory.available: "50Mi", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%" } # a full disk of the host must not evict Pods
imageGCHighThresholdPercent: 100
`

/**
 * A flag has priority over the files in --config-dir. These have priority over the file in --config; among them, the
 * last path has priority.
 */
function settings(started: Started, files: Files): KubeletSettings {
  const path = absolute(started, flagOf(started, "--config"))
  const folder = absolute(started, flagOf(started, "--config-dir"))
  const paths = [
    ...(path === undefined ? [] : [path]),
    ...(folder === undefined ? [] : files.matching(`${folder.replace(/\/$/, "")}/**.conf`)),
  ]
  const config = paths
    .map((one) => Document.yaml(files.text(one)))
    .reduce((below, above) => below.under(above), new Document(undefined))
  const value = (flag: string, ...keys: readonly string[]) => flagOf(started, flag) ?? config.text(...keys)
  return {
    address: {
      host: reachable(value("--address", "address")),
      port: Number(value("--port", "port") ?? PORT),
    },
    healthz: {
      host: reachable(value("--healthz-bind-address", "healthzBindAddress")),
      port: Number(value("--healthz-port", "healthzPort") ?? HEALTHZ_PORT),
    },
    kubeconfig: absolute(started, flagOf(started, "--kubeconfig")),
    certificate:
      absolute(started, value("--tls-cert-file", "tlsCertFile")) ??
      `${absolute(started, flagOf(started, "--cert-dir")) ?? "/var/lib/kubelet/pki"}/kubelet.crt`,
    clientCa: absolute(started, value("--client-ca-file", "authentication", "x509", "clientCAFile")),
    nodeName: flagOf(started, "--hostname-override"),
    runtime: value("--container-runtime-endpoint", "containerRuntimeEndpoint"),
    staticPodFolder: absolute(started, value("--pod-manifest-path", "staticPodPath")),
  }
}

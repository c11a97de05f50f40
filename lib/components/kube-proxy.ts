import { configVersions, removedFlags } from "./removed/kube-proxy.ts"
import { Document } from "../base/document.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { addressIn, type Address } from "./settings/address.ts"
import type { Files } from "./settings/files.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

/** The configuration file of our own kube-proxy. */
export const KUBE_PROXY_CONFIG = "/etc/kubernetes/kube-proxy.yaml"
const HEALTHZ_PORT = 10256

export interface KubeProxySettings extends Settings {
  /** The address of its health endpoint. */
  readonly address: Address
  /** What it writes into the kernel: nftables, iptables or ipvs. */
  readonly mode: string
  /** The name of its Node; undefined if that is the machine's host name. */
  readonly nodeName: string | undefined
  /** The range of Pod addresses, with which it tells Pods from other clients; undefined if it is not told. */
  readonly clusterCidr: string | undefined
}

/**
 * kube-proxy as lesson 10 starts it.
 * https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
 */
export const kubeProxy: ComponentSpec<"kube-proxy", KubeProxySettings> = {
  name: "kube-proxy",
  program: "kube-proxy",
  scriptWord: "proxy",
  // It reads the address of its Node once, when it starts.
  after: ["kube-apiserver", "kubelet"],
  requires: ["containers"],
  tools: ["kube-proxy", "nft"],
  // The names of Services are used from the same lesson on as their addresses.
  imageTools: ["coredns"],
  removedFlag: (flag) => removedFlags[flag],
  configVersions,
  absence: "the addresses of Services lead nowhere",
  skew: { behind: 3, ahead: 0, supported: "a kube-proxy up to three minor versions older, none newer" },
  settings,
  probe: ({ address }) => ({ by: "http", ...address, path: "/healthz" }),
  describe: () => ({
    name: "kube-proxy",
    binary: "kube-proxy",
    flags: [{ flag: "--config", value: KUBE_PROXY_CONFIG }],
    files: [{ path: KUBE_PROXY_CONFIG, content: config }],
  }),
}

const config = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: { kubeconfig: ${KUBECONFIG_FILE} }
mode: nftables
clusterCIDR: 10.88.0.0/16 # the addresses of Pods
healthzBindAddress: 127.0.0.1:${HEALTHZ_PORT}
metricsBindAddress: 127.0.0.1:10249
nftables: { minSyncPeriod: 100ms } # a change reaches the kernel after a tenth of a second; the default is a second
conntrack: { maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s } # these are settings of the whole host
`

/** With a configuration file, kube-proxy ignores all flags but a few, such as --hostname-override. */
function settings(started: Started, files: Files): KubeProxySettings {
  const path = absolute(started, flagOf(started, "--config"))
  const file = path === undefined ? undefined : Document.yaml(files.text(path))
  const value = (flag: string, ...keys: readonly string[]) =>
    (file === undefined ? flagOf(started, flag) : file.text(...keys)) || undefined
  return {
    address: addressIn(value("--healthz-bind-address", "healthzBindAddress") ?? "", HEALTHZ_PORT),
    kubeconfig: absolute(started, value("--kubeconfig", "clientConnection", "kubeconfig")),
    mode: value("--proxy-mode", "mode") ?? "iptables",
    nodeName: flagOf(started, "--hostname-override") ?? file?.text("hostnameOverride"),
    clusterCidr: value("--cluster-cidr", "clusterCIDR"),
  }
}

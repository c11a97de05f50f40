import { removedFlags } from "./removed/kube-controller-manager.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import { pki } from "../pki/pki.ts"
import { reachable, type Address } from "./settings/address.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

const PORT = 10257

export interface ControllerManagerSettings extends Settings {
  readonly address: Address
  /** The certificate that it presents to its clients; undefined if it creates a certificate in memory. */
  readonly certificate: string | undefined
  readonly electsLeader: boolean
  /** The file with the CA that it publishes in every namespace; undefined if no flag names one. */
  readonly rootCa: string | undefined
  /** The key with which it signs the tokens of ServiceAccounts in Secrets; undefined if it signs none. */
  readonly serviceAccountKey: string | undefined
  /** The range from which each Node gets its own range of Pod addresses; undefined if Nodes get none. */
  readonly clusterCidr: string | undefined
  /**
   * The controllers that run, as --controllers lists them: "*" for all that are on by default, "-NAME" for one less.
   */
  readonly controllers: readonly string[]
}

/**
 * kube-controller-manager as lesson 09 starts it.
 * https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/
 */
export const controllerManager: ComponentSpec<"kube-controller-manager", ControllerManagerSettings> = {
  name: "kube-controller-manager",
  program: "kube-controller-manager",
  scriptWord: "controller",
  after: ["kube-apiserver"],
  requires: [],
  tools: ["kube-controller-manager"],
  removedFlag: (flag) => removedFlags[flag],
  absence: "Deployments and Jobs get no Pods, and namespaces no ServiceAccount",
  skew: { behind: 1, ahead: 0, supported: "a controller-manager one minor version older, none newer" },
  settings,
  probe: ({ address, certificate }) => ({
    by: "http",
    ...address,
    path: "/healthz",
    tls: { trust: certificate === undefined ? [] : [certificate] },
  }),
  describe: () => ({
    name: "kube-controller-manager",
    binary: "kube-controller-manager",
    flags: [
      { flag: "--kubeconfig", value: KUBECONFIG_FILE },
      { flag: "--bind-address", value: "127.0.0.1", why: "every listener stays on loopback" },
      { flag: "--secure-port", value: String(PORT) },
      {
        flag: "--tls-cert-file",
        value: pki.controllerManager.certificate,
        why: "a certificate that a CA has signed, so that clients can verify it; the default is self-signed",
      },
      { flag: "--tls-private-key-file", value: pki.controllerManager.key, why: "goes with the certificate" },
      {
        flag: "--service-account-private-key-file",
        value: pki.serviceAccount.private,
        why: "signs the tokens that Secrets hold; kube-apiserver verifies them with the public key",
      },
      { flag: "--root-ca-file", value: pki.ca.certificate, why: "Pods verify kube-apiserver with this CA" },
      {
        flag: "--use-service-account-credentials",
        value: "true",
        why: "each controller authenticates as its own ServiceAccount",
      },
      {
        flag: "--kube-api-qps",
        value: "200",
        why: "at the start each of them needs a token: with 20 a second, seconds",
      },
      { flag: "--kube-api-burst", value: "400", why: "goes with it" },
      { flag: "--allocate-node-cidrs", value: "true", why: "each Node gets a range of Pod addresses of its own" },
      {
        flag: "--cluster-cidr",
        value: "10.88.0.0/16",
        why: "these ranges come from this one. The CNI configuration of the first Node has the first, 10.88.0.0/24",
      },
      {
        flag: "--leader-elect",
        value: "false",
        why: "this is the only controller-manager: after a crash it must not wait until its own lease expires",
      },
    ],
    files: [],
  }),
}

function settings(started: Started): ControllerManagerSettings {
  const folder = absolute(started, flagOf(started, "--cert-dir"))
  return {
    address: {
      host: reachable(flagOf(started, "--bind-address")),
      port: Number(flagOf(started, "--secure-port") ?? PORT),
    },
    kubeconfig: absolute(started, flagOf(started, "--kubeconfig")),
    certificate:
      absolute(started, flagOf(started, "--tls-cert-file")) ??
      (folder === undefined ? undefined : `${folder}/kube-controller-manager.crt`),
    electsLeader: flagOf(started, "--leader-elect") !== "false",
    rootCa: absolute(started, flagOf(started, "--root-ca-file")),
    serviceAccountKey: absolute(started, flagOf(started, "--service-account-private-key-file")),
    clusterCidr: flagOf(started, "--allocate-node-cidrs") === "true" ? flagOf(started, "--cluster-cidr") : undefined,
    controllers: (flagOf(started, "--controllers") ?? "*").split(","),
  }
}

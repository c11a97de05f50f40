import { configVersions, removedFlags } from "./removed/kube-apiserver.ts"
import { pki } from "../pki/pki.ts"
import { ETCD_PORT } from "./etcd.ts"
import { reachable, type Address } from "./settings/address.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

/** The port of kube-apiserver on the loopback address. */
export const APISERVER_PORT = 6443
/** The file from which our own kube-apiserver reads the tokens that it accepts. */
export const TOKENS_FILE = "/etc/kubernetes/tokens.csv"

/** The settings of kube-apiserver. Paths are on its machine. A path is undefined if no flag sets it. */
export interface ApiserverSettings extends Settings {
  readonly address: Address
  /** The certificate that it presents to its clients. */
  readonly certificate: string
  readonly tokenFile: string | undefined
  /** What decides whether a request is allowed, such as Node and RBAC. */
  readonly authorizationModes: readonly string[]
  readonly clientCa: string | undefined
  readonly etcdServers: readonly string[]
  /** The CA, client certificate and key for requests to etcd. */
  readonly etcdCa: string | undefined
  readonly etcdCertificate: string | undefined
  readonly etcdKey: string | undefined
  /** The CA, client certificate and key for requests to a kubelet. */
  readonly kubeletCa: string | undefined
  readonly kubeletCertificate: string | undefined
  readonly kubeletKey: string | undefined
  readonly serviceRange: string | undefined
  /** The encoding of objects in etcd. */
  readonly storage: "json" | "protobuf"
}

/**
 * kube-apiserver as the workshop starts it.
 * https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/
 */
export const apiserver: ComponentSpec<"kube-apiserver", ApiserverSettings> = {
  name: "kube-apiserver",
  program: "kube-apiserver",
  scriptWord: "api",
  after: ["etcd"],
  isPatient: true,
  requires: [],
  tools: ["kube-apiserver", "kubectl"],
  removedFlag: (flag) => removedFlags[flag],
  configVersions,
  absence: "kubectl, kube-scheduler and the kubelet cannot reach the cluster",
  settings,
  probe: ({ address }) => ({ by: "http", ...address, path: "/readyz", tls: { trust: [] }, asAdministrator: true }),
  describe: ({ token }) => ({
    name: "kube-apiserver",
    binary: "kube-apiserver",
    flags: [
      { flag: "--etcd-servers", value: `http://127.0.0.1:${ETCD_PORT}` },
      { flag: "--service-cluster-ip-range", value: "10.0.0.0/24" },
      { flag: "--bind-address", value: "127.0.0.1" },
      { flag: "--secure-port", value: String(APISERVER_PORT) },
      { flag: "--token-auth-file", value: TOKENS_FILE },
      { flag: "--authorization-mode", value: "AlwaysAllow" },
      { flag: "--service-account-issuer", value: "https://kubernetes.default.svc", why: "required since 1.20" },
      { flag: "--service-account-key-file", value: pki.serviceAccount.public, why: "required with the issuer" },
      {
        flag: "--service-account-signing-key-file",
        value: pki.serviceAccount.private,
        why: "required with the issuer",
      },
      {
        flag: "--tls-cert-file",
        value: pki.apiserver.certificate,
        why: "a certificate that a CA has signed, so that clients can verify it; the default is self-signed",
      },
      { flag: "--tls-private-key-file", value: pki.apiserver.key, why: "goes with the certificate" },
      {
        flag: "--kubelet-certificate-authority",
        value: pki.ca.certificate,
        why: "kubectl logs and exec: kube-apiserver verifies the certificate of the kubelet",
      },
      {
        flag: "--kubelet-client-certificate",
        value: pki.kubeletClient.certificate,
        why: "kubectl logs and exec: the kubelet refuses clients without a certificate",
      },
      { flag: "--kubelet-client-key", value: pki.kubeletClient.key, why: "goes with the certificate" },
      { flag: "--advertise-address", value: "127.0.0.1", why: "kube-apiserver listens on this address only" },
      { flag: "--endpoint-reconciler-type", value: "none", why: "an Endpoints object may not hold a loopback address" },
      {
        flag: "--disable-admission-plugins",
        value: "ServiceAccount,TaintNodesByCondition",
        why: "without a controller-manager, no program creates ServiceAccounts or removes the not-ready taint",
      },
      {
        flag: "--storage-media-type",
        value: "application/json",
        why: "people can read the objects in etcd; the default is protobuf",
      },
    ],
    files: [{ path: TOKENS_FILE, content: `${token},admin,admin,"system:masters"\n`, mode: 0o600 }],
  }),
}

function settings(started: Started): ApiserverSettings {
  const file = (flag: string) => absolute(started, flagOf(started, flag))
  return {
    address: {
      host: reachable(flagOf(started, "--bind-address")),
      port: Number(flagOf(started, "--secure-port") ?? APISERVER_PORT),
    },
    certificate: file("--tls-cert-file") ?? `${file("--cert-dir") ?? "/var/run/kubernetes"}/apiserver.crt`,
    tokenFile: file("--token-auth-file"),
    authorizationModes: (flagOf(started, "--authorization-mode") ?? "AlwaysAllow").split(","),
    clientCa: file("--client-ca-file"),
    etcdServers: (flagOf(started, "--etcd-servers") ?? "").split(",").filter((url) => url !== ""),
    etcdCa: file("--etcd-cafile"),
    etcdCertificate: file("--etcd-certfile"),
    etcdKey: file("--etcd-keyfile"),
    kubeletCa: file("--kubelet-certificate-authority"),
    kubeletCertificate: file("--kubelet-client-certificate"),
    kubeletKey: file("--kubelet-client-key"),
    serviceRange: flagOf(started, "--service-cluster-ip-range"),
    storage: flagOf(started, "--storage-media-type") === "application/json" ? "json" : "protobuf",
  }
}

import { pki } from "../pki/pki.ts"
import { ETCD_PORT } from "./etcd.ts"
import { reachable, type Address } from "./settings/address.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Settings } from "./spec.ts"

/** Its port on loopback. */
export const APISERVER_PORT = 6443
/** Where our own kube-apiserver reads the tokens that it accepts. */
export const TOKENS_FILE = "/etc/kubernetes/tokens.csv"

/** Paths are of files on its machine; undefined where no flag names one. */
export interface ApiserverSettings extends Settings {
  readonly address: Address
  /** What it shows its clients. */
  readonly certificate: string
  readonly tokenFile: string | undefined
  readonly clientCa: string | undefined
  readonly etcdServers: readonly string[]
  /** What it trusts, and shows, when it speaks with etcd. */
  readonly etcdCa: string | undefined
  readonly etcdCertificate: string | undefined
  readonly etcdKey: string | undefined
  /** What it trusts, and shows, when it speaks with a kubelet. */
  readonly kubeletCa: string | undefined
  readonly kubeletCertificate: string | undefined
  readonly kubeletKey: string | undefined
  readonly serviceRange: string | undefined
  /** How it encodes objects in etcd. */
  readonly storage: "json" | "protobuf"
}

/** kube-apiserver as the workshop starts it. https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/ */
export const apiserver: ComponentSpec<"kube-apiserver", ApiserverSettings> = {
  name: "kube-apiserver",
  program: "kube-apiserver",
  scriptWord: "api",
  after: ["etcd"],
  isPatient: true,
  requires: [],
  tools: ["kube-apiserver", "kubectl"],
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
      { flag: "--service-account-issuer", value: "https://kubernetes.default.svc", why: "demanded since 1.20" },
      { flag: "--service-account-key-file", value: pki.serviceAccount.public, why: "demanded with the issuer" },
      {
        flag: "--service-account-signing-key-file",
        value: pki.serviceAccount.private,
        why: "demanded with the issuer",
      },
      {
        flag: "--tls-cert-file",
        value: pki.apiserver.certificate,
        why: "signed by a CA that clients can verify, instead of by itself",
      },
      { flag: "--tls-private-key-file", value: pki.apiserver.key, why: "goes with the certificate" },
      {
        flag: "--kubelet-certificate-authority",
        value: pki.ca.certificate,
        why: "kubectl logs and exec: the kubelet is who it says",
      },
      {
        flag: "--kubelet-client-certificate",
        value: pki.kubeletClient.certificate,
        why: "kubectl logs and exec: the kubelet refuses strangers",
      },
      { flag: "--kubelet-client-key", value: pki.kubeletClient.key, why: "goes with the certificate" },
      { flag: "--advertise-address", value: "127.0.0.1", why: "it listens there and nowhere else" },
      { flag: "--endpoint-reconciler-type", value: "none", why: "an Endpoints object may not hold a loopback address" },
      {
        flag: "--disable-admission-plugins",
        value: "ServiceAccount,TaintNodesByCondition",
        why: "no controller-manager runs that would make ServiceAccounts and lift the not-ready taint",
      },
      {
        flag: "--storage-media-type",
        value: "application/json",
        why: "objects can be read in etcd; the default is protobuf",
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

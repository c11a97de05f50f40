import { settingOf, type Started } from "./process.ts"

/** Where a component listens, as its own settings say. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What etcd is reached with. https://etcd.io/docs/latest/op-guide/configuration/ */
export interface EtcdAddress extends Address {
  readonly isTls: boolean
  readonly dataDir: string
}

/** Where etcd's clients reach it: its first client URL. */
export function etcdAddress(etcd: Started): EtcdAddress {
  const dataDir = settingOf(etcd, "--data-dir") ?? `${settingOf(etcd, "--name") ?? "default"}.etcd`
  const url = settingOf(etcd, "--listen-client-urls")?.split(",")[0]?.trim() ?? "http://localhost:2379"
  return {
    ...addressIn(url, 2379),
    isTls: url.startsWith("https"),
    dataDir: dataDir.startsWith("/") ? dataDir : `${etcd.cwd ?? "/root"}/${dataDir}`,
  }
}

export function apiserverAddress(apiserver: Started): Address {
  return {
    host: reachable(settingOf(apiserver, "--bind-address")),
    port: Number(settingOf(apiserver, "--secure-port") ?? 6443),
  }
}

export function schedulerAddress(scheduler: Started): Address {
  return {
    host: reachable(settingOf(scheduler, "--bind-address")),
    port: Number(settingOf(scheduler, "--secure-port") ?? 10259),
  }
}

/** What a kubelet is reached with. */
export interface KubeletAddress extends Address {
  /** Port on which it tells whether it is well. */
  readonly healthz: number
  /** The file by which its certificate can be verified: the CA that kube-apiserver verifies it by, or else the certificate itself. */
  readonly ca: string
}

/** @param config the text of the kubelet's --config file */
export function kubeletAddress(kubelet: Started, config: string, apiserver?: Started): KubeletAddress {
  const field = (name: string) => new RegExp(`^\\s*"?${name}"?:\\s*"?([^\\s",]+)`, "m").exec(config)?.[1]
  return {
    host: reachable(settingOf(kubelet, "--address") ?? field("address")),
    port: Number(settingOf(kubelet, "--port") ?? field("port") ?? 10250),
    ca:
      (apiserver && settingOf(apiserver, "--kubelet-certificate-authority")) ??
      settingOf(kubelet, "--tls-cert-file") ??
      field("tlsCertFile") ??
      `${settingOf(kubelet, "--cert-dir") ?? "/var/lib/kubelet/pki"}/kubelet.crt`,
    healthz: Number(settingOf(kubelet, "--healthz-port") ?? field("healthzPort") ?? 10248),
  }
}

export function registryAddress(registry: Started): Address {
  return addressIn(settingOf(registry, "--address") ?? "127.0.0.1:5000", 5000)
}

function addressIn(url: string, fallback: number): Address {
  const [, host, port] = /^(?:https?:\/\/)?(\[[^\]]+\]|[^:/]*)(?::(\d+))?/.exec(url) ?? []
  return { host: reachable(host), port: Number(port ?? fallback) }
}

/** Whoever listens everywhere is reached on loopback. */
function reachable(host: string | undefined): string {
  return host === undefined ||
    host === "" ||
    host === "localhost" ||
    host === "0.0.0.0" ||
    host === "::" ||
    host === "[::]"
    ? "127.0.0.1"
    : host
}

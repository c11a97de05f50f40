import { join } from "node:path/posix"
import { experimental, removedFlags } from "./removed/etcd.ts"
import { addressIn, type Address } from "./settings/address.ts"
import { Document } from "../base/document.ts"
import type { Files } from "./settings/files.ts"
import { absolute, flagOf, type Started } from "./settings/flags.ts"
import type { ComponentSpec, Peers, Settings } from "./spec.ts"

/** The port for clients of etcd on the loopback address. */
export const ETCD_PORT = 2379
const CLIENTS = `http://127.0.0.1:${ETCD_PORT}`
const CLIENTS_BY_DEFAULT = `http://localhost:${ETCD_PORT}`

export interface EtcdSettings extends Settings {
  /** The address for clients: the first of its client URLs. */
  readonly address: Address
  readonly isTls: boolean
  readonly dataDir: string
  /** The name of the member. */
  readonly name: string
  /** The addresses at which other members reach this one. */
  readonly peerUrls: readonly string[]
  /** The members with which it has started for the first time, as NAME=URL. */
  readonly initialCluster: readonly string[]
  readonly clientUrls: readonly string[]
  readonly advertisedClientUrls: readonly string[]
  /** The files of its server certificate and key; undefined without TLS. */
  readonly certificate: string | undefined
  readonly key: string | undefined
  /** The CA that must have signed the certificates of its clients. */
  readonly clientCa: string | undefined
}

/** The files that a client needs for TLS with etcd. Paths are on the machine. */
export interface EtcdTls {
  readonly ca: string
  readonly certificate: string | undefined
  readonly key: string | undefined
}

/** etcd with one member, as the workshop starts it. https://etcd.io/docs/latest/op-guide/configuration/ */
export const etcd: ComponentSpec<"etcd", EtcdSettings> = {
  name: "etcd",
  program: "etcd",
  scriptWord: "etcd",
  after: [],
  requires: [],
  tools: ["etcd", "etcdctl", "etcdutl"],
  removedFlag: (flag) => removedFlags[flag] ?? experimental(flag),
  absence: "nothing can be read or written in the cluster",
  settings,
  isFellow: (own, other) => own.name !== other.name && (lists(own, other) || lists(other, own)),
  probe: (own, peers) => {
    const tls = etcdTls(own, peers)
    return {
      by: "http",
      ...own.address,
      path: "/health",
      ...(tls === undefined
        ? {}
        : {
            tls: {
              trust: [tls.ca, own.certificate ?? ""].filter((path) => path !== ""),
              ...(tls.certificate === undefined || tls.key === undefined
                ? {}
                : { certificate: tls.certificate, key: tls.key }),
            },
          }),
    }
  },
  describe: () => ({
    name: "etcd",
    binary: "etcd",
    flags: [
      { flag: "--data-dir", value: "/var/lib/etcd" },
      { flag: "--listen-client-urls", value: CLIENTS },
      { flag: "--advertise-client-urls", value: CLIENTS },
      {
        flag: "--heartbeat-interval",
        value: "10",
        why: "a single member does not wait for heartbeats of other members, so a short interval is safe",
      },
      {
        flag: "--election-timeout",
        value: "100",
        why: "a single member elects itself after a tenth of a second; etcd requires at least ten heartbeats here",
      },
    ],
    files: [],
  }),
}

/** Whether a member has started with another one in its list of members. */
function lists({ initialCluster }: EtcdSettings, { name, peerUrls }: EtcdSettings): boolean {
  return peerUrls.some((url) => initialCluster.includes(`${name}=${url}`))
}

/**
 * With a configuration file, etcd ignores all flags and its environment. Without one, a flag has priority over the
 * environment.
 */
function settings(started: Started, files: Files): EtcdSettings {
  const configFile = absolute(started, flagOf(started, "--config-file") ?? started.env?.["ETCD_CONFIG_FILE"])
  const file = configFile === undefined ? undefined : Document.yaml(files.text(configFile))
  const security = (key: string) => file?.text("client-transport-security", key)
  const value = (name: string, inFile: (key: string) => string | undefined = (key) => file?.text(key)) =>
    file === undefined ? flagOrEnvironment(started, name) : inFile(name)
  const list = (name: string, byDefault: string) => (value(name) ?? byDefault).split(",").map((one) => one.trim())
  const clientUrls = list("listen-client-urls", CLIENTS_BY_DEFAULT)
  const name = value("name") ?? "default"
  const peerUrls = list("initial-advertise-peer-urls", "http://localhost:2380")
  const isTls = clientUrls[0]?.startsWith("https") === true
  return {
    address: addressIn(clientUrls[0] ?? "", ETCD_PORT),
    isTls,
    dataDir: absolute(started, value("data-dir")) ?? join(started.cwd ?? "/", `${name}.etcd`),
    name,
    peerUrls,
    initialCluster: list("initial-cluster", peerUrls.map((url) => `${name}=${url}`).join()),
    clientUrls,
    advertisedClientUrls: list("advertise-client-urls", CLIENTS_BY_DEFAULT),
    certificate: absolute(started, value("cert-file", security)),
    key: absolute(started, value("key-file", security)),
    clientCa: absolute(started, value("trusted-ca-file", security)),
  }
}

function flagOrEnvironment(started: Started, name: string): string | undefined {
  return flagOf(started, `--${name}`) ?? started.env?.[`ETCD_${name.replaceAll("-", "_").toUpperCase()}`]
}

/**
 * The files for clients of etcd: those of kube-apiserver, or else those of etcd itself. undefined if etcd does not use
 * TLS.
 */
export function etcdTls(own: EtcdSettings, { apiserver }: Peers): EtcdTls | undefined {
  if (!own.isTls) return undefined
  return {
    ca: apiserver?.etcdCa ?? own.clientCa ?? own.certificate ?? "",
    certificate: apiserver?.etcdCertificate ?? own.certificate,
    key: apiserver?.etcdKey ?? own.key,
  }
}

/** The environment variables with which etcdctl reaches etcd without flags. */
export function etcdctlEnvironment(own: EtcdSettings, peers: Peers): Record<string, string> {
  const { host, port } = own.address
  const tls = etcdTls(own, peers)
  return {
    ETCDCTL_ENDPOINTS: `${own.isTls ? "https" : "http"}://${host}:${port}`,
    ...(tls === undefined ? {} : { ETCDCTL_CACERT: tls.ca }),
    ...(tls?.certificate === undefined || tls.key === undefined
      ? {}
      : { ETCDCTL_CERT: tls.certificate, ETCDCTL_KEY: tls.key }),
  }
}

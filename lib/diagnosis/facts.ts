import { Document } from "../base/document.ts"
import { portOf } from "../clients/sockets.ts"
import { logOf as usualLogOf } from "../components/component.ts"
import { settingsOf, type ComponentName, type SettingsOf } from "../components/registry.ts"
import { knownFiles } from "../components/settings/files.ts"
import type { Observation } from "./observation.ts"
import { componentOf, flagOf } from "./symptom.ts"

// What the findings' texts name is read here from the observed cluster, so that they are true of it.

/** Remembers a function's results: each row of the catalogue asks for the same facts. */
export function remembered<T>(read: (seen: Observation) => T): (seen: Observation) => T {
  const known = new WeakMap<Observation, { readonly value: T }>()
  return (seen) => {
    const found = known.get(seen) ?? { value: read(seen) }
    known.set(seen, found)
    return found.value
  }
}

/** The settings of a component: from its command line and its configuration files, or the defaults. */
function observedSettings<Name extends ComponentName>(seen: Observation, name: Name): SettingsOf<Name> {
  return settingsOf(name, componentOf(seen, name) ?? { argv: [name] }, knownFiles(seen.files))
}

/** The file that a component logs to. */
export function logPathOf(seen: Observation, name: ComponentName): string {
  return componentOf(seen, name)?.logPath ?? usualLogOf(name)
}

/**
 * The machine's clock when it was observed; undefined where it could not be asked. Recordings are judged by it, too.
 */
export function nowOf({ looks }: Observation): Date | undefined {
  const now = new Date(looks["date -u"] ?? "")
  return Number.isNaN(now.getTime()) ? undefined : now
}

/** host:port of the first of some URLs. Without a host, a client calls the loopback address. */
export function addressOf(urls: string): string {
  const address = (urls.split(",")[0] ?? "").replace(/^\w+:\/\//, "").replace(/\/.*$/, "")
  return /^:\d/.test(address) ? `127.0.0.1${address}` : address
}

/** The settings of etcd on this machine. */
export const etcdSettingsOf = remembered((seen) => observedSettings(seen, "etcd"))

/** The settings of kube-apiserver. */
export const apiserverSettingsOf = remembered((seen) => observedSettings(seen, "kube-apiserver"))

/** etcd's data folder. */
export function dataDirOf(seen: Observation): string {
  return etcdSettingsOf(seen).dataDir
}

/** Where etcd serves clients, as a URL: as its settings say, or where it listens by default. */
export function etcdUrlOf(seen: Observation): string {
  const [url = ""] = etcdSettingsOf(seen).clientUrls
  return /^\w+:\/\/./.test(url) ? url : "http://127.0.0.1:2379"
}

/** host:port on which kube-apiserver should listen, as its command line says. */
export function apiserverAddressOf(seen: Observation): string {
  const one = componentOf(seen, "kube-apiserver")
  const host = flagOf(one, "--bind-address") ?? "0.0.0.0"
  return `${host}:${flagOf(one, "--secure-port") ?? "6443"}`
}

/** The same as a client must write it: an address for "all addresses" is none to call. */
export function apiserverUrlOf(seen: Observation): string {
  return `https://${apiserverAddressOf(seen).replace(/^(?:0\.0\.0\.0|::|\[::\]):/, "127.0.0.1:")}`
}

/** Whether a process listens on an address, or on all addresses. @param address host:port */
export function listens({ listeners }: Observation, address: string): boolean {
  const port = portOf(address)
  return listeners.some(
    ({ local }) =>
      local === address.replace("localhost", "127.0.0.1") ||
      local === `0.0.0.0:${port}` ||
      local === `*:${port}` ||
      local === `[::]:${port}`,
  )
}

/** The program that holds an address, for a text. */
export function holderOf({ listeners }: Observation, port: string): string {
  const holder = listeners.find(({ local }) => portOf(local) === port)
  return holder === undefined ? "no process listens" : `${holder.program} (pid ${holder.pid}) listens`
}

/** HOST:PORT of a URL. */
export function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? /^\w+:\/\/([^/]+)/.exec(url)?.[1] : undefined
}

/** What a kubeconfig says; a field is undefined where the file does not say it. */
export interface ReadKubeconfig {
  readonly path: string
  readonly context: string | undefined
  readonly clusterName: string | undefined
  readonly server: string | undefined
  /** The path of the CA's certificate. */
  readonly caPath: string | undefined
  readonly token: string | undefined
  readonly userName: string | undefined
  /** Whether the user has any credentials. */
  readonly hasCredentials: boolean
}

/** The kubeconfig that kubectl reads; undefined where it is not there. */
export const kubeconfigOf = remembered((seen) => kubeconfigAt(seen, seen.kubeconfigPath))

/**
 * A kubeconfig on the machine; undefined where it is not there, everything in it undefined where it cannot be parsed.
 */
export function kubeconfigAt(seen: Observation, path: string): ReadKubeconfig | undefined {
  const text = seen.files[path]
  if (text === undefined) return undefined
  const file = Document.yaml(text)
  const named = (list: string, name: string | undefined) => {
    const all = file.items(list)
    return all.find((item) => item.text("name") === name) ?? (list === "contexts" ? undefined : all[0])
  }
  const context = file.text("current-context")
  const chosen = named("contexts", context)
  const cluster = named("clusters", chosen?.text("context", "cluster"))
  const user = named("users", chosen?.text("context", "user"))
  const credentials = user?.at("user")
  return {
    path,
    context,
    clusterName: cluster?.text("name"),
    server: cluster?.text("cluster", "server"),
    caPath: cluster?.text("cluster", "certificate-authority"),
    token: user?.text("user", "token"),
    userName: user?.text("name"),
    hasCredentials: typeof credentials === "object" && credentials !== null && Object.keys(credentials).length > 0,
  }
}

/** The kubeconfigs that components use, with the component. `isBootstrap`: only to request a first certificate. */
export const kubeconfigsOf = remembered((seen) =>
  (["kubelet", "kube-scheduler", "kube-controller-manager", "kube-proxy"] as const).flatMap((client) => {
    const component = componentOf(seen, client)
    if (component === undefined) return []
    const paths = [
      { path: flagOf(component, "--bootstrap-kubeconfig"), isBootstrap: true },
      { path: observedSettings(seen, client).kubeconfig, isBootstrap: false },
    ]
    return paths.flatMap(({ path, isBootstrap }) => (path === undefined ? [] : [{ client, path, isBootstrap }]))
  }),
)

/** What containerd's configuration says. */
export interface ReadContainerd {
  readonly path: string
  /** The socket that it listens on. */
  readonly socket: string
  readonly disabledPlugins: readonly string[]
  /** The folder of the CNI configuration. */
  readonly cniFolder: string
  /** The folders of the CNI plugins. */
  readonly pluginFolders: readonly string[]
  /** The folder with a hosts.toml for each registry; undefined where none is set. */
  readonly mirrorsFolder: string | undefined
  readonly restrictsOomScore: boolean
}

/** containerd's configuration. Everything has its default where the file is not there or cannot be parsed. */
export const containerdOf = remembered((seen): ReadContainerd => {
  const path = flagOf(componentOf(seen, "containerd"), "--config") ?? "/etc/containerd/config.toml"
  const file = Document.toml(seen.files[path])
  const { socket, cniFolder, cniPluginFolders, mirrorsFolder } = observedSettings(seen, "containerd")
  return {
    path,
    socket,
    cniFolder,
    pluginFolders: cniPluginFolders,
    mirrorsFolder,
    disabledPlugins: file.texts("disabled_plugins"),
    restrictsOomScore: file.boolean("plugins", "io.containerd.cri.v1.runtime", "restrict_oom_score_adj") === true,
  }
})

/** What the kubelet's configuration file says; a field is undefined where the file does not say it. */
export interface ReadKubelet {
  readonly path: string
  readonly isAnonymousAllowed: boolean | undefined
  /** Where it serves its API. */
  readonly address: string | undefined
  /** AlwaysAllow or Webhook. */
  readonly authorization: string | undefined
  readonly leaseSeconds: number | undefined
  /** The certificate that it presents to its clients. */
  readonly certificate: string | undefined
  /** The names of its fields. */
  readonly fields: readonly string[]
  /** Whether it requests that certificate from the cluster. */
  readonly requestsCertificate: boolean | undefined
  /** host:port that it sends traces to. */
  readonly tracing: string | undefined
  /** The folder with the manifests of its static Pods. */
  readonly staticPods: string | undefined
  /** The limits of evictionHard: signal and limit. */
  readonly eviction: readonly (readonly [string, string])[]
}

/** The kubelet's configuration file. */
export const kubeletOf = remembered((seen): ReadKubelet => {
  const path = flagOf(componentOf(seen, "kubelet"), "--config") ?? "/var/lib/kubelet/config.yaml"
  const file = Document.yaml(seen.files[path])
  return {
    path,
    isAnonymousAllowed: file.boolean("authentication", "anonymous", "enabled"),
    address: file.text("address"),
    staticPods: flagOf(componentOf(seen, "kubelet"), "--pod-manifest-path") ?? file.text("staticPodPath"),
    authorization: file.text("authorization", "mode"),
    leaseSeconds: file.number("nodeLeaseDurationSeconds"),
    fields: file.keys(),
    certificate: file.text("tlsCertFile"),
    requestsCertificate: file.boolean("serverTLSBootstrap"),
    tracing: file.text("tracing", "endpoint"),
    eviction: Object.entries(file.at("evictionHard") ?? {}).map(([signal, limit]) => [signal, String(limit)] as const),
  }
})

/** In place of a fact that is not there: a text must have one. */
export const NONE = "-"

/** The last field of its configuration that the kubelet says it does not know, and ignores; NONE if there is none. */
export function ignoredField(seen: Observation): string {
  const line = /strict decoding error: unknown field \\"([^"\\]+)\\"/
  return (componentOf(seen, "kubelet")?.log ?? []).flatMap((one) => line.exec(one)?.[1] ?? []).at(-1) ?? NONE
}

/** What a field that the kubelet ignores adds to a cause; nothing for NONE. */
export function whatItIgnores(field: string): string {
  return field === NONE ? "" : `; the kubelet ignores ${field}, because there is no such field`
}

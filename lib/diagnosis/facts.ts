import { parse as parseToml } from "smol-toml"
import { parse as parseYaml } from "yaml"
import { z } from "zod"
import { logOf as usualLogOf, type ComponentName } from "../components/component.ts"
import type { Observation } from "./observation.ts"
import { componentOf, flagOf } from "./symptom.ts"

// What the findings' texts name is read here from the observed cluster, so that they are true of it.

/** The file that a component logs to. */
export function logPathOf(seen: Observation, name: ComponentName): string {
  return componentOf(seen, name)?.logPath ?? usualLogOf(name)
}

/** The machine's clock when it was observed; undefined where it could not be asked. Recordings are judged by it, too. */
export function nowOf({ looks }: Observation): Date | undefined {
  const now = new Date(looks["date -u"] ?? "")
  return Number.isNaN(now.getTime()) ? undefined : now
}

/** host:port of the first of some URLs. */
export function addressOf(urls: string): string {
  return (urls.split(",")[0] ?? "").replace(/^\w+:\/\//, "").replace(/\/.*$/, "")
}

/** The port of an address; "" where it has none. */
export function portOf(address: string): string {
  return /:(\d+)$/.exec(address)?.[1] ?? ""
}

/** Where etcd serves clients, as a URL: as its command line says, or where it listens by default. */
export function etcdUrlOf(seen: Observation): string {
  const urls = flagOf(componentOf(seen, "etcd"), "--listen-client-urls") ?? ""
  const [url = ""] = urls.split(",")
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

const cluster = z.object({
  server: z.string().optional(),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.string().optional(),
})
const user = z.looseObject({ token: z.string().optional(), tokenFile: z.string().optional() })
const kubeconfigFile = z.looseObject({
  "current-context": z.string().nullish(),
  clusters: z.array(z.object({ name: z.string(), cluster })).nullish(),
  users: z.array(z.object({ name: z.string(), user: user.nullish() })).nullish(),
  contexts: z
    .array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) }))
    .nullish(),
})

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

/** A kubeconfig on the machine; undefined where the file is not there, everything in it undefined where it cannot be parsed. */
export function kubeconfigOf(seen: Observation, path = seen.kubeconfigPath): ReadKubeconfig | undefined {
  const text = seen.files[path]
  if (text === undefined) return undefined
  const { data } = kubeconfigFile.safeParse(yamlOf(text))
  const context = data?.["current-context"] || undefined
  const names = data?.contexts?.find(({ name }) => name === context)?.context
  const chosen = data?.clusters?.find(({ name }) => name === names?.cluster) ?? data?.clusters?.[0]
  const who = data?.users?.find(({ name }) => name === names?.user) ?? data?.users?.[0]
  return {
    path,
    context,
    clusterName: chosen?.name,
    server: chosen?.cluster.server,
    caPath: chosen?.cluster["certificate-authority"],
    token: who?.user?.token,
    userName: who?.name,
    hasCredentials: Object.keys(who?.user ?? {}).length > 0,
  }
}

/** A YAML or JSON text as a value; undefined where it cannot be parsed. */
export function yamlOf(text: string): unknown {
  try {
    return parseYaml(text)
  } catch {
    return undefined
  }
}

const containerdFile = z.looseObject({
  disabled_plugins: z.array(z.string()).optional().catch(undefined),
  grpc: z.looseObject({ address: z.string().optional() }).optional().catch(undefined),
  plugins: z.record(z.string(), z.unknown()).optional().catch(undefined),
})

/** What containerd's configuration says. */
export interface ReadContainerd {
  readonly path: string
  /** The socket that it listens on; undefined where the file does not say it. */
  readonly socket: string | undefined
  readonly disabledPlugins: readonly string[]
  /** The folders of the CNI configuration. */
  readonly cniFolder: string
  readonly restrictsOomScore: boolean
}

const CNI_FOLDER = "/etc/cni/net.d"

/** containerd's configuration. Everything has its default where the file is not there or cannot be parsed. */
export function containerdOf(seen: Observation): ReadContainerd {
  const path = flagOf(componentOf(seen, "containerd"), "--config") ?? "/etc/containerd/config.toml"
  const { data } = containerdFile.safeParse(tomlOf(seen.files[path] ?? ""))
  const settings = Object.values(data?.plugins ?? {})
  return {
    path,
    socket: data?.grpc?.address,
    disabledPlugins: data?.disabled_plugins ?? [],
    cniFolder: textAt(settings, "conf_dir") ?? CNI_FOLDER,
    restrictsOomScore: fieldAt(settings, "restrict_oom_score_adj") === true,
  }
}

function tomlOf(text: string): unknown {
  try {
    return parseToml(text)
  } catch {
    return undefined // containerd says itself that it cannot read it.
  }
}

/** The first value of a field in a tree of settings. */
function fieldAt(tree: unknown, field: string): unknown {
  if (typeof tree !== "object" || tree === null) return undefined
  if (field in tree) return (tree as Readonly<Record<string, unknown>>)[field] // It is in there.
  for (const branch of Object.values(tree)) {
    const found = fieldAt(branch, field)
    if (found !== undefined) return found
  }
  return undefined
}

function textAt(tree: unknown, field: string): string | undefined {
  const found = fieldAt(tree, field)
  return typeof found === "string" && found !== "" ? found : undefined
}

const kubeletFile = z.looseObject({
  authentication: z
    .looseObject({ anonymous: z.looseObject({ enabled: z.boolean().optional() }).optional() })
    .optional()
    .catch(undefined),
  nodeLeaseDurationSeconds: z.number().optional().catch(undefined),
  tracing: z.looseObject({ endpoint: z.string().optional() }).optional().catch(undefined),
  healthzPort: z.number().optional().catch(undefined),
})

/** The kubelet's configuration file and what it says; undefined fields where it does not say them. */
export function kubeletOf(seen: Observation): { readonly path: string } & z.infer<typeof kubeletFile> {
  const path = flagOf(componentOf(seen, "kubelet"), "--config") ?? "/var/lib/kubelet/config.yaml"
  return { ...kubeletFile.safeParse(yamlOf(seen.files[path] ?? "")).data, path }
}

import { Document } from "../base/document.ts"

/** A certificate or key of a kubeconfig: in a separate file, or embedded. */
export type Source = { readonly file: string } | { readonly pem: Buffer }

/** The current context of a kubeconfig: the address of the cluster and the credentials of the user. */
export interface KubeconfigContext {
  /** https://host:port */
  readonly server: string
  /** The name that the server's certificate must contain, if it differs from the server's host. */
  readonly serverName: string | undefined
  readonly ca: Source | undefined
  readonly token: string | undefined
  readonly tokenFile: string | undefined
  readonly certificate: Source | undefined
  readonly key: Source | undefined
}

/** Whether a text is a kubeconfig, in YAML or in JSON. */
export function isKubeconfig(text: string): boolean {
  return text.includes("Config") && Document.yaml(text).text("kind") === "Config"
}

/**
 * Reads the current context of a kubeconfig.
 * @param path the path of the kubeconfig; relative paths in it start from its folder
 * @returns undefined if the text is not a kubeconfig, has no current context, or refers to an entry that it does not
 * contain
 */
export function parseKubeconfig(text: string, path: string): KubeconfigContext | undefined {
  const config = Document.yaml(text)
  const context = entry(config, "contexts", "context", config.text("current-context"))
  const cluster = entry(config, "clusters", "cluster", context?.text("cluster"))
  const user = entry(config, "users", "user", context?.text("user"))
  const server = cluster?.text("server")
  if (cluster === undefined || server === undefined) return undefined
  const folder = path.replace(/[^/]*$/, "")
  const beside = (file: string) => (file.startsWith("/") ? file : `${folder}${file}`)
  const source = (from: Document | undefined, key: string): Source | undefined => {
    const data = from?.text(`${key}-data`) // Embedded data wins over a file, as in kubectl.
    if (data !== undefined) return { pem: Buffer.from(data, "base64") }
    const file = from?.text(key)
    return file === undefined ? undefined : { file: beside(file) }
  }
  const tokenFile = user?.text("tokenFile")
  return {
    server,
    serverName: cluster.text("tls-server-name"),
    ca: source(cluster, "certificate-authority"),
    token: user?.text("token"),
    tokenFile: tokenFile === undefined ? undefined : beside(tokenFile),
    certificate: source(user, "client-certificate"),
    key: source(user, "client-key"),
  }
}

/** The content of the entry with this name in a list of a kubeconfig. @param key its field with the content */
export function entry(config: Document, list: string, key: string, name: string | undefined): Document | undefined {
  const all = config.at(list)
  if (name === undefined || !Array.isArray(all)) return undefined
  const found = all.map((one: unknown) => new Document(one)).find((one) => one.text("name") === name)
  return found && new Document(found.at(key))
}

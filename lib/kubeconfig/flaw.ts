import { Document } from "../base/document.ts"
import { near } from "../base/nearest.ts"

/** The fields of a kubeconfig (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). */
const FIELDS = ["apiVersion", "kind", "clusters", "contexts", "current-context", "extensions", "preferences", "users"]
/** The fields of a user with which it authenticates. */
const CREDENTIALS = [
  "auth-provider",
  "client-certificate",
  "client-certificate-data",
  "exec",
  "password",
  "token",
  "tokenFile",
  "username",
]

/** Fields of a user that need each other. */
const HALVES = [
  ["client-certificate", "client-key"],
  ["client-key", "client-certificate"],
] as const

/**
 * What is wrong with a kubeconfig, so that its current context leads to no server or shows no credentials.
 * @returns a clause, such as "its user bootstrap is not in the list users"; undefined if nothing is missing
 */
export function kubeconfigFlaw(text: string): string | undefined {
  const config = Document.yaml(text)
  const misspelt = config
    .keys()
    .map((key) => [key, FIELDS.includes(key) ? undefined : near(key, FIELDS)])
    .find(([, field]) => field !== undefined)
  if (misspelt !== undefined) return `it has the field ${misspelt[0]} instead of ${misspelt[1]}`
  const current = config.text("current-context")
  if (current === undefined || current === "") return "it has no current-context"
  const context = named(config, "contexts", current)
  if (context === undefined) return `its current-context ${current} is not in the list contexts`
  const cluster = named(config, "clusters", context.text("context", "cluster"))
  const clusterName = context.text("context", "cluster")
  if (cluster === undefined)
    return clusterName === undefined
      ? `its context ${current} names no cluster`
      : `its cluster ${clusterName} is not in the list clusters`
  if (cluster.text("cluster", "server") === undefined) return `its cluster ${clusterName} has no server`
  const userName = context.text("context", "user")
  const user = named(config, "users", userName)
  if (user === undefined)
    return userName === undefined
      ? `its context ${current} names no user`
      : `its user ${userName} is not in the list users`
  const credentials = new Document(user.at("user")).keys()
  if (!credentials.some((key) => CREDENTIALS.includes(key)))
    return `its user ${userName} has no credentials${credentials.length === 0 ? "" : `, only ${credentials.join(", ")}`}`
  const [half, other] = HALVES.find(([half, other]) => has(credentials, half) && !has(credentials, other)) ?? []
  return half === undefined ? undefined : `its user ${userName} has a ${half} and no ${other}`
}

/** Whether a field is there: as a path, or embedded. */
function has(fields: readonly string[], field: string): boolean {
  return fields.includes(field) || fields.includes(`${field}-data`)
}

/** The item of a list with this name. */
function named(config: Document, list: string, name: string | undefined): Document | undefined {
  const items = config.at(list)
  const all = (Array.isArray(items) ? items : []).map((item: unknown) => new Document(item))
  return name === undefined ? undefined : all.find((item) => item.text("name") === name)
}

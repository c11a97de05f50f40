import { Document } from "../base/document.ts"
import { near } from "../base/nearest.ts"
import { entry } from "./parse.ts"

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
const PAIR = ["client-certificate", "client-key"] as const

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
  if (current === undefined) return "it has no current-context"
  const context = entry(config, "contexts", "context", current)
  if (context === undefined) return `its current-context ${current} is not in the list contexts`
  const clusterName = context.text("cluster")
  if (clusterName === undefined) return `its context ${current} names no cluster`
  const cluster = entry(config, "clusters", "cluster", clusterName)
  if (cluster === undefined) return `its cluster ${clusterName} is not in the list clusters`
  if (cluster.text("server") === undefined) return `its cluster ${clusterName} has no server`
  const userName = context.text("user")
  if (userName === undefined) return `its context ${current} names no user`
  const user = entry(config, "users", "user", userName)
  if (user === undefined) return `its user ${userName} is not in the list users`
  const fields = user.keys()
  if (!fields.some((field) => CREDENTIALS.includes(field)))
    return `its user ${userName} has no credentials${fields.length === 0 ? "" : `, only ${fields.join(", ")}`}`
  const [missing, ...others] = PAIR.filter((field) => !has(fields, field))
  return missing === undefined || others.length > 0
    ? undefined
    : `its user ${userName} has a ${PAIR.find((field) => field !== missing)} and no ${missing}`
}

/** Whether a field is there: as a path, or embedded. */
function has(fields: readonly string[], field: string): boolean {
  return fields.includes(field) || fields.includes(`${field}-data`)
}

import { Document } from "../base/document.ts"
import type { Machine } from "../machines/machine.ts"
import { SHORTEST, SIGNED_TOKEN, type Secret } from "./leaks.ts"

/** Fields of YAML and JSON files whose values are secret. */
const FIELDS = new Set(["token", "password", "client-key-data", "secret", "token-secret"])
/** Variables of the environment whose values are secret. */
const VARIABLES = /TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_?KEY/i
/** Fields of a bootstrap token, and of the token of a ServiceAccount, that everybody may know. */
const PUBLIC_FIELDS = /^(?:token-id|description|expiration|auth-extra-groups|usage-.*|ca\.crt|namespace)$/
/** The largest number of files that are read. A machine of lessons has fewer than a hundred of them. */
const MOST_FILES = 1_000
const LIMIT = 30_000

/**
 * Prints the paths of all files on the machine that can contain a secret: by their content, and those that a process
 * names as its file of tokens or its encryption configuration. Programs, images and etcd's data are not searched.
 */
const FIND = String.raw`
set -u
find / \( -path /proc -o -path /sys -o -path /dev -o -path /usr -o -path /bin -o -path /sbin -o -path /lib -o -path /lib64 \
  -o -path /opt -o -path /var/lib/containerd -o -path /run/containerd -o -path /var/lib/etcd \) -prune \
  -o -type f -size -1024k -print0 2>/dev/null |
  xargs -0 -r grep -lIE 'PRIVATE KEY-----|(token|password|client-key-data|secret)"?:|eyJ[A-Za-z0-9_-]{10,}\.eyJ' 2>/dev/null
for process in /proc/[0-9]*; do
  tr '\0' '\n' <"$process/cmdline" 2>/dev/null
done | grep -A1 -E -- '^--(token-auth-file|encryption-provider-config)' | sed -E 's/^--[a-z-]+=//' | grep '^/'
true
`

/**
 * Finds the secrets on a machine: private keys, kubeconfigs, files of tokens, encryption keys, tokens of
 * ServiceAccounts.
 */
export async function secretsOn(machine: Machine): Promise<Secret[]> {
  const { stdout } = await machine.run(["sh", "-c", FIND], { timeout: LIMIT })
  const paths = [...new Set(stdout.split("\n").filter((path) => path !== ""))].slice(0, MOST_FILES)
  const found: Secret[] = []
  for (const path of paths) {
    const content = await machine.read(path).catch(() => undefined) // It may be gone already.
    if (content !== undefined) found.push(...secretsOfFile(path, content.toString()))
  }
  return found
}

/** The secrets in the text of a file. */
export function secretsOfFile(path: string, text: string): Secret[] {
  const keys = [...text.matchAll(/-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[^-]+/g)].map(([key]) => key)
  const tokens = [...text.matchAll(SIGNED_TOKEN)].map(([token]) => token)
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  // A file of tokens: TOKEN,USER,UID,"GROUP,GROUP".
  const isTokenFile = lines.length > 0 && lines.every((line) => /^[^\s,]+,[^,]+,[^,]+(?:,|$)/.test(line))
  const firsts = isTokenFile ? lines.map((line) => line.split(",")[0] ?? "") : []
  // A script contains variables, which are not the values.
  const fields = path.endsWith(".sh") ? [] : fieldsIn(text)
  return distinct([...keys, ...tokens, ...firsts, ...fields].map((value) => ({ value, origin: path })))
}

/** The secrets in the environment of this process, such as GITHUB_TOKEN. */
export function secretsOfEnvironment(environment: NodeJS.ProcessEnv): Secret[] {
  return distinct(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && value.length >= SHORTEST && VARIABLES.test(name) && !value.startsWith("/")
        ? [{ value, origin: `the variable ${name}` }]
        : [],
    ),
  )
}

/**
 * The values of the cluster's Secrets.
 * @param json what `kubectl get secrets --all-namespaces -o json` prints
 */
export function secretsOfCluster(json: string): Secret[] {
  const { items = [] } = JSON.parse(json) as {
    items?: { metadata?: { namespace?: string; name?: string }; data?: Record<string, string> }[]
  } // kubectl prints a list of Secrets.
  return distinct(
    items.flatMap(({ metadata, data = {} }) =>
      Object.entries(data)
        .filter(([field]) => !PUBLIC_FIELDS.test(field))
        .map(([, value]) => ({
          value: Buffer.from(value, "base64").toString(),
          origin: `the Secret ${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`,
        }))
        .filter(({ value }) => value.length >= SHORTEST),
    ),
  )
}

/** The secrets of a file that are too short to be searched for. */
export function tooShort(secrets: readonly Secret[]): Secret[] {
  return secrets.filter(({ value }) => value.length < SHORTEST)
}

function fieldsIn(text: string): string[] {
  try {
    return text.split(/^---$/m).flatMap((part) => valuesOf(Document.yaml(part).at()))
  } catch {
    return [] // It is not YAML.
  }
}

function valuesOf(tree: unknown): string[] {
  if (typeof tree !== "object" || tree === null) return []
  return Object.entries(tree).flatMap(([field, value]) =>
    typeof value === "string" ? (FIELDS.has(field) && value !== "" ? [value, decoded(value)] : []) : valuesOf(value),
  )
}

/** client-key-data is a key in base64; the key itself is secret too. */
function decoded(value: string): string {
  const text = Buffer.from(value, "base64").toString()
  return text.includes("PRIVATE KEY-----") ? text : ""
}

function distinct(secrets: readonly Secret[]): Secret[] {
  const seen = new Map(secrets.filter(({ value }) => value.trim() !== "").map((secret) => [secret.value, secret]))
  return [...seen.values()].filter(({ value }) => !/^\$\{?\w+\}?$/.test(value))
}

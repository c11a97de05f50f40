import { X509Certificate } from "node:crypto"
import { z } from "zod"
import { Document } from "../base/document.ts"
import { findProcesses, type FoundProcess } from "../components/discovery/process.ts"
import type { ComponentName } from "../components/registry.ts"
import { absolute, flagOf, flagsIn } from "../components/settings/flags.ts"
import { isKubeconfig, parseKubeconfig, type Source } from "../kubeconfig/parse.ts"
import type { Machine } from "../machines/machine.ts"
import { RemediedError } from "../base/errors.ts"

/** What a control plane consists of, in the order of the table. */
export const TOPICS = ["certificate", "kubeconfig", "flag", "kubelet field", "file", "object"] as const
export type Topic = (typeof TOPICS)[number]

/** One thing of a control plane, such as a flag, with its value as text. */
export interface Item {
  readonly topic: Topic
  readonly name: string
  readonly value: string
}

/** A file, and what it is for: the flag or field that names it, such as "kube-apiserver --tls-cert-file". */
interface Role {
  readonly role: string
  readonly path: string
  readonly text: string
}

/** The cluster did not list its objects. */
class InventoryError extends RemediedError {}

/** The components that are compared. The container runtime is no work of kubeadm. */
const COMPARED: readonly ComponentName[] = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
]

/** The folders whose files are compared. */
const FOLDERS = "/etc/kubernetes /var/lib/kubelet"
/** What the kubelet writes there while it runs. */
const STATE_OF_KUBELET =
  /^\/var\/lib\/kubelet\/(?:pods|plugins|plugins_registry|device-plugins|checkpoints|image_manager|\.\w|allocated_|actuated_|\w+_manager_state|dra_|pod-resources)/

/** The kinds of objects that are compared. The namespaces in which they are compared belong to the cluster itself. */
const KINDS =
  "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,configmaps,secrets,services,deployments,daemonsets"
const NAMESPACES = ["kube-system", "kube-public", "kube-node-lease"]

/** The timeout of a command on the machine (milliseconds). */
const LOOK_WITHIN = 60_000

/**
 * Reads what a control plane consists of: the flags of its processes, the files that these name, and the objects of the
 * cluster itself. How the processes were started does not matter.
 * @param kubeconfig the path of an administrator's kubeconfig on the machine
 * @param topic what is read; by default everything
 * @throws InventoryError if kube-apiserver does not list its objects
 */
export async function inventoryOf(machine: Machine, kubeconfig: string, topic?: Topic): Promise<Item[]> {
  const found = await findProcesses(machine)
  // Of a component that runs several times, the oldest process counts.
  const processes = COMPARED.flatMap((name) => found.find((one) => one.name === name) ?? [])
  const [roles, paths, objects] = await Promise.all([
    rolesOf(machine, processes, kubeconfig),
    pathsOn(machine),
    topic === undefined || topic === "object" ? objectsOf(machine, kubeconfig) : [],
  ])
  const named = new Set(roles.map(({ path }) => path))
  const nodes = new RegExp(String.raw`\b${machine.name}\b`, "g")
  // Most components name the same kubeconfig in three flags.
  const read = roles.filter(
    ({ role, path }) =>
      !/--auth(?:entication|orization)-kubeconfig\b/.test(role) ||
      !roles.some((one) => one.path === path && one.role.startsWith(`${ownerOf(role)} --kubeconfig`)),
  )
  const authorities = authoritiesIn(roles)
  const items = [
    ...read.flatMap((role) => certificateItems(role, authorities)),
    ...read.flatMap(kubeconfigItems),
    ...processes.flatMap((one) => flagItems(one, roles)),
    ...roles.filter(({ role }) => role === "kubelet --config").flatMap(fieldItems),
    ...roles.map(({ role, path }): Item => ({ topic: "file", name: role, value: path })),
    ...paths.filter((path) => !named.has(path)).map((path): Item => ({ topic: "file", name: path, value: path })),
    ...objects,
  ]
  // Names, addresses, dates and tokens are different on each machine.
  const general = (text: string) =>
    text
      .replaceAll(machine.address, "NODE_IP")
      .replaceAll(nodes, "NODE")
      .replaceAll(/\d{4}(?:-\d\d){5}/g, "DATE")
      .replaceAll(/bootstrap-token-[a-z0-9]{6}/g, "bootstrap-token-ID")
  return items
    .filter((item) => topic === undefined || item.topic === topic)
    .map((item) => ({ topic: item.topic, name: general(item.name), value: general(item.value) }))
}

/** The files that processes name, directly or in a configuration file that they name. */
async function rolesOf(machine: Machine, processes: readonly FoundProcess[], kubeconfig: string): Promise<Role[]> {
  const roles: Role[] = []
  const add = async (role: string, path: string, root = "") => {
    const text = await machine.read(`${root}${path}`).catch(() => undefined) // It is a folder, a socket, or no path.
    if (text !== undefined) roles.push({ role, path, text: text.toString() })
    return text?.toString()
  }
  for (const { name, pid, argv, cwd } of processes) {
    const root = `/proc/${pid}/root` // Files of a container are in its own file system.
    for (const flag of flagsIn({ argv })) {
      const value = flagOf({ argv }, flag)
      if (value?.includes("/") !== true || value.includes(":")) continue
      const path = absolute({ cwd }, value) ?? value
      const text = await add(`${name} ${flag}`, path, root)
      if (flag !== "--config" || text === undefined) continue
      const config = Document.yaml(text)
      const fields = [
        ["authentication", "x509", "clientCAFile"],
        ["tlsCertFile"],
        ["tlsPrivateKeyFile"],
        ["clientConnection", "kubeconfig"],
      ]
      for (const keys of fields) {
        const named = config.text(...keys)
        if (named !== undefined) await add(`${name} ${keys.join(".")}`, named, root)
      }
    }
  }
  await add("administrator", kubeconfig)
  for (const { role, path, text } of roles.filter((one) => isKubeconfig(one.text))) {
    const { certificate } = parseKubeconfig(text, path) ?? {}
    if (certificate !== undefined && "file" in certificate) await add(`${role} client certificate`, certificate.file)
  }
  return roles
}

/** The component to which a role belongs: its first word. */
function ownerOf(role: string): string {
  return role.replace(/ .*/, "")
}

/** The authorities of a cluster, by the flag that names their certificate. */
const AUTHORITIES: Readonly<Record<string, string>> = {
  "kube-apiserver --client-ca-file": "the CA of Kubernetes",
  "etcd --trusted-ca-file": "the CA of etcd",
  "kube-apiserver --requestheader-client-ca-file": "the CA of the front proxy",
}

type Authorities = readonly { readonly name: string; readonly ca: X509Certificate }[]

function authoritiesIn(roles: readonly Role[]): Authorities {
  return roles.flatMap(({ role, text }) => {
    const name = AUTHORITIES[role]
    const ca = parsedCertificate(text)
    return name === undefined || ca === undefined ? [] : [{ name, ca }]
  })
}

/** What a certificate says, in words: who signed it, for whom, for what, and for how long. */
function certificateItems({ role, path, text }: Role, authorities: Authorities): Item[] {
  const pems = isKubeconfig(text)
    ? [["client certificate", embedded(parseKubeconfig(text, path)?.certificate)] as const]
    : [["", text] as const]
  return pems.flatMap(([suffix, pem]) => {
    const one = pem === undefined ? undefined : parsedCertificate(pem)
    if (one === undefined) return []
    const name = `${role} ${suffix}`.trim()
    const item = (what: string, value: string): Item => ({ topic: "certificate", name: `${name}: ${what}`, value })
    return [
      item("subject", inOneLine(one.subject)),
      item("signed by", signerOf(one, authorities)),
      item("names", (one.subjectAltName ?? "none").split(", ").toSorted().join(", ")),
      item("usage", usageOf(one)),
      item("lifetime", lifetimeOf(one)),
    ]
  })
}

function embedded(source: Source | undefined): string | undefined {
  return source !== undefined && "pem" in source ? source.pem.toString() : undefined
}

function parsedCertificate(text: string): X509Certificate | undefined {
  const [pem] = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(text) ?? []
  return pem === undefined ? undefined : new X509Certificate(pem)
}

/** Who has signed a certificate. The signature is verified: a name proves nothing. */
function signerOf(certificate: X509Certificate, authorities: Authorities): string {
  if (certificate.verify(certificate.publicKey)) return "itself"
  const found = authorities.find(({ ca }) => certificate.verify(ca.publicKey))
  return found?.name ?? `another CA: ${inOneLine(certificate.issuer)}`
}

function inOneLine(name: string): string {
  return name.split("\n").toSorted().join(", ")
}

/** https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12 */
const USAGES: Readonly<Record<string, string>> = { "1.3.6.1.5.5.7.3.1": "server", "1.3.6.1.5.5.7.3.2": "client" }

function usageOf(certificate: X509Certificate): string {
  if (certificate.ca) return "signs certificates"
  return (
    certificate.keyUsage
      ?.map((usage) => USAGES[usage] ?? usage)
      .toSorted()
      .join(", ") ?? "not limited"
  )
}

const A_DAY = 86_400_000

function lifetimeOf({ validFrom, validTo }: X509Certificate): string {
  const days = Math.round((Date.parse(validTo) - Date.parse(validFrom)) / A_DAY)
  const years = Math.round(days / 365)
  return years < 1 ? `${days} days` : years === 1 ? "a year" : `${years} years`
}

/** Whom a kubeconfig calls, and as whom. */
function kubeconfigItems({ role, path, text }: Role): Item[] {
  const context = isKubeconfig(text) ? parseKubeconfig(text, path) : undefined
  if (context === undefined) return []
  const { server, token, tokenFile, certificate } = context
  const shows =
    certificate !== undefined
      ? `a certificate${"pem" in certificate ? ", embedded" : " in a file"}`
      : token !== undefined
        ? "a token, embedded"
        : tokenFile === undefined
          ? "nothing"
          : "a token in a file"
  const item = (what: string, value: string): Item => ({ topic: "kubeconfig", name: `${role}: ${what}`, value })
  return [item("server", server), item("shows", shows)]
}

/** The flags of a process, without those that name a file: their files are items of their own. */
function flagItems({ name, argv }: FoundProcess, roles: readonly Role[]): Item[] {
  return flagsIn({ argv })
    .filter((flag) => !roles.some(({ role }) => role === `${name} ${flag}`))
    .map((flag): Item => ({ topic: "flag", name: `${name} ${flag}`, value: flagOf({ argv }, flag) || "true" }))
}

/** The fields of the kubelet's configuration. A value of zero means the default, so it says nothing. */
function fieldItems({ text }: Role): Item[] {
  const fields = (document: Document, keys: readonly string[]): Item[] =>
    document.keys().flatMap((key) => {
      const value = document.at(key)
      const inner = new Document(value)
      const name = [...keys, key]
      if (inner.keys().length > 0) return fields(inner, name)
      if (isZero(value)) return []
      return [{ topic: "kubelet field", name: name.join("."), value: JSON.stringify(value).replaceAll('"', "") }]
    })
  return fields(Document.yaml(text), [])
}

function isZero(value: unknown): boolean {
  return (
    value === null || value === 0 || value === "" || value === "0" || value === "0s" || JSON.stringify(value) === "{}"
  )
}

/** The files of the cluster on this machine, without those that the kubelet writes while it runs. */
async function pathsOn(machine: Machine): Promise<string[]> {
  const { stdout } = await machine.run(["sh", "-c", `find ${FOLDERS} -type f 2>/dev/null`], { timeout: LOOK_WITHIN })
  return stdout
    .split("\n")
    .filter((path) => path !== "" && !STATE_OF_KUBELET.test(path))
    .toSorted()
}

const list = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({
        name: z.string(),
        namespace: z.string().optional(),
        labels: z.record(z.string(), z.string()).optional(),
      }),
      rules: z.unknown().optional(),
      subjects: z.unknown().optional(),
    }),
  ),
})

/** Kubernetes itself creates the objects with this label, in every cluster. */
const BOOTSTRAPPING = "kubernetes.io/bootstrapping"

/** The objects of the cluster itself. Of those of RBAC, what they grant and to whom. */
async function objectsOf(machine: Machine, kubeconfig: string): Promise<Item[]> {
  const asked = ["kubectl", "--kubeconfig", kubeconfig, "get", KINDS, "--all-namespaces", "--output=json"]
  const { exitCode, stdout, stderr } = await machine.run(asked, { timeout: LOOK_WITHIN })
  if (exitCode !== 0)
    throw new InventoryError(
      `kube-apiserver does not list its objects: ${stderr.trim()}.`,
      `Try it yourself: ${asked.join(" ")}`,
    )
  return list.parse(JSON.parse(stdout)).items.flatMap(({ kind, metadata, rules, subjects }) => {
    const { name, namespace, labels = {} } = metadata
    if (BOOTSTRAPPING in labels || (namespace !== undefined && !NAMESPACES.includes(namespace))) return []
    const grants = rules ?? subjects
    return [
      {
        topic: "object" as const,
        name: `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`,
        value: grants === undefined ? "exists" : JSON.stringify(grants).replaceAll('"', ""),
      },
    ]
  })
}

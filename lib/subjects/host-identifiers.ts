import { createHash, createPublicKey, X509Certificate, type JsonWebKey } from "node:crypto"
import { z } from "zod"
import type { Access } from "../components/discovery/access.ts"
import type { Machine } from "../machines/machine.ts"

/**
 * What two hosts or clusters do not have in common by chance. etcd's cluster id is not one: etcd computes it from the
 * addresses and the token in its settings, so all who follow the same text have the same.
 */
export const IDENTIFIER_KINDS = [
  "machine-id",
  "CA certificate",
  "ServiceAccount key",
  "uid of the namespace kube-system",
] as const

/** Something that identifies a host or its cluster. */
export interface Identifier {
  readonly kind: (typeof IDENTIFIER_KINDS)[number]
  /** The uid itself; of everything else the SHA-256. */
  readonly value: string
}

/** Milliseconds for each question. */
const LOOK_WITHIN = 10_000

/** What systemd writes into the file before the first boot, which is no identity. */
const NO_MACHINE_ID = "uninitialized"

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const keySet = z.object({ keys: z.array(z.custom<JsonWebKey>((value) => typeof value === "object" && value !== null)) })

/**
 * Reads what identifies a host and its cluster. Only public things are read: certificates, public keys and the uid of an
 * object. What cannot be read is left out.
 * @param access the credentials of an administrator; undefined if there are none
 */
export async function identifiersOn(machine: Machine, access: Access | undefined): Promise<Identifier[]> {
  const found = await Promise.all([
    machineIds(machine),
    ...(access === undefined
      ? []
      : [authorities(machine, access), serviceAccountKeys(machine, access), uids(machine, access)]),
  ])
  return [...new Map(found.flat().map((one) => [`${one.kind} ${one.value}`, one])).values()]
}

async function machineIds(machine: Machine): Promise<Identifier[]> {
  const text = await machine.read("/etc/machine-id").catch(() => Buffer.alloc(0))
  const id = text.toString().trim()
  // machine-id(5) asks programs not to show it to others.
  return id === "" || id === NO_MACHINE_ID ? [] : [{ kind: "machine-id", value: sha256(id) }]
}

/** The CAs that clients trust, and that kube-apiserver trusts for clients, which it publishes. */
async function authorities(machine: Machine, access: Access): Promise<Identifier[]> {
  const published = await kubectl(machine, access, [
    "get",
    "configmap",
    "extension-apiserver-authentication",
    "--namespace=kube-system",
    "--output=jsonpath={.data.client-ca-file}",
  ])
  return `${access.ca.toString()}\n${published}`.match(CERTIFICATE)?.flatMap((pem) => ofPem(pem)) ?? []
}

function ofPem(pem: string): Identifier[] {
  try {
    return [{ kind: "CA certificate", value: sha256(new X509Certificate(pem).raw) }]
  } catch {
    return [] // It is no certificate in spite of its frame.
  }
}

/** kube-apiserver publishes the public keys with which tokens of ServiceAccounts are verified. */
async function serviceAccountKeys(machine: Machine, access: Access): Promise<Identifier[]> {
  try {
    const { keys } = keySet.parse(JSON.parse(await kubectl(machine, access, ["get", "--raw", "/openid/v1/jwks"])))
    return keys.map((key) => ({
      kind: "ServiceAccount key",
      value: sha256(createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "der" })),
    }))
  } catch {
    return [] // It does not answer, or not with keys.
  }
}

async function uids(machine: Machine, access: Access): Promise<Identifier[]> {
  const uid = await kubectl(machine, access, ["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"])
  return /^[\da-f-]{36}$/.test(uid) ? [{ kind: "uid of the namespace kube-system", value: uid }] : []
}

/** What kubectl prints; nothing if it fails. */
async function kubectl(machine: Machine, { kubeconfig }: Access, words: readonly string[]): Promise<string> {
  try {
    const argv = ["kubectl", "--kubeconfig", kubeconfig, "--request-timeout=5s", ...words]
    const { exitCode, stdout } = await machine.run(argv, { timeout: LOOK_WITHIN })
    return exitCode === 0 ? stdout.trim() : ""
  } catch {
    return "" // It did not answer in time.
  }
}

function sha256(value: string | Buffer): string {
  return createHash("sha256").update(value).digest("hex")
}

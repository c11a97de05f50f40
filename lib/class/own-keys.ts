import { createHash, createPublicKey, X509Certificate } from "node:crypto"

/** A key or certificate that a text contains. */
export interface OwnKey {
  readonly kind: "private key" | "public key" | "certificate"
  /** SHA-256, the same for each way of writing it. A private key has that of its public key. */
  readonly digest: string
}

const PEM =
  /-----BEGIN ((?:[A-Z0-9]+ )*(?:PRIVATE KEY|PUBLIC KEY|CERTIFICATE))-----((?:[^-]|-(?!----)){1,20000})-----END \1-----/g
/** PEM in base64, as in a kubeconfig. */
const ENCODED = /LS0tLS1CRUdJTi[A-Za-z0-9+/=]{40,20000}/g

/**
 * The keys and certificates in a text, also those that are in base64. What is no such thing in spite of its frame is
 * left out.
 */
export function keysIn(text: string): OwnKey[] {
  const decoded = [...text.matchAll(ENCODED)].map(([run]) => Buffer.from(run, "base64").toString("latin1"))
  const found = [text, ...decoded].flatMap((each) =>
    [...each.matchAll(PEM)].flatMap(([, label = "", body = ""]) => {
      // In JSON, line breaks are written as \n.
      const lines = body.replaceAll(/\\[rn]/g, "\n").split("\n")
      const bytes = lines.map((line) => line.trim()).filter((line) => /^[A-Za-z0-9+/=]+$/.test(line))
      return keyOf(label, bytes.join("\n")) ?? []
    }),
  )
  return [...new Map(found.map((key) => [`${key.kind} ${key.digest}`, key])).values()]
}

/** The text without its keys and certificates; the lines keep their numbers. */
export function withoutKeys(text: string): string {
  return text.replaceAll(PEM, (block) => block.replaceAll(/[^\n]/g, "")).replaceAll(ENCODED, "")
}

function keyOf(label: string, body: string): OwnKey | undefined {
  const pem = `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
  const kind = label.endsWith("PRIVATE KEY")
    ? "private key"
    : label.endsWith("PUBLIC KEY")
      ? "public key"
      : "certificate"
  try {
    const bytes =
      kind === "certificate"
        ? new X509Certificate(pem).raw
        : createPublicKey(pem).export({ type: "spki", format: "der" })
    return { kind, digest: sha256(bytes) }
  } catch {
    // A key with a passphrase cannot be read, but a copy of it has the same bytes.
    const bytes = Buffer.from(body, "base64")
    return label.includes("ENCRYPTED") && bytes.length > 64 ? { kind, digest: sha256(bytes) } : undefined
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex")
}

import { join } from "node:path"
import protobuf from "protobufjs"
import { packageRoot } from "../base/settings.ts"
import { FailureError } from "../failures/errors.ts"
import type { Undecodable } from "../failures/failure.ts"

/** The value of a key in etcd is not a Kubernetes object. */
class NotStoredError extends FailureError<Undecodable> {}

/**
 * The prefix of an object that is encoded as protobuf.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */
const MAGIC = "k8s\0"

let known: Promise<protobuf.Root> | undefined

/** The encoding of an object in etcd; undefined if it is neither JSON nor protobuf. */
export function encodingOf(bytes: Buffer): "json" | "protobuf" | undefined {
  if (bytes.subarray(0, MAGIC.length).toString("latin1") === MAGIC) return "protobuf"
  return bytes[0] === "{".charCodeAt(0) ? "json" : undefined
}

/**
 * Decodes an object that was read from etcd, from JSON or from protobuf. Of protobuf, only the fields that
 * fixtures/stored.proto declares are decoded.
 * @throws NotStoredError if the value is neither JSON nor Kubernetes protobuf
 */
export async function decode(bytes: Buffer): Promise<unknown> {
  const encoding = encodingOf(bytes)
  if (encoding === "json") return JSON.parse(bytes.toString())
  if (encoding === undefined)
    throw new NotStoredError(
      { kind: "undecodable", begins: bytes.subarray(0, 40).toString() },
      "Look at the value: etcdctl get KEY --print-value-only | head -c 100",
    )
  const root = await (known ??= protobuf.load(join(packageRoot, "fixtures", "stored.proto")))
  const plain = (type: string, raw: Uint8Array) => {
    const message = root.lookupType(type)
    return message.toObject(message.decode(raw), { bytes: String })
  }
  const unknown = plain("Unknown", bytes.subarray(MAGIC.length)) as {
    typeMeta?: { kind?: string; apiVersion?: string }
    raw?: string
  } // fixtures/stored.proto declares these fields.
  const kind = unknown.typeMeta?.kind ?? "Object"
  const type = root.get(kind) === null ? "Object" : kind
  return { ...unknown.typeMeta, ...plain(type, Buffer.from(unknown.raw ?? "", "base64")) }
}

import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { TcpSocket } from "../clients/sockets.ts"
import { portOf } from "../clients/sockets.ts"
import type { ApiObject, Observation, ObservedApi } from "./observation.ts"
import { secretsOf } from "./secrets.ts"

/** Lines of a log that are kept from its beginning and from its end. */
const HEAD = 40
const TAIL = 40
/** Characters of one line that are kept. */
const LONGEST_LINE = 700

/**
 * Writes an observation as JSON, in the order in which failures came: 001.json, 002.json, …
 * @param folder created where it is not there
 */
export function record(folder: string, seen: Observation): void {
  mkdirSync(folder, { recursive: true })
  const number = readdirSync(folder).length + 1
  writeFileSync(join(folder, `${String(number).padStart(3, "0")}.json`), recordingOf(seen))
}

/** An observation as JSON without secrets; equal secrets stay equal. What no finding reads is left out. */
export function recordingOf(seen: Observation): string {
  const kept: Observation = {
    ...seen,
    components: seen.components.map((component) => ({ ...component, log: trimmed(component.log) })),
    connections: distinct(seen.connections),
    api: seen.api && apiWithoutNoise(seen.api),
  }
  const text = JSON.stringify(kept, undefined, 1)
  return `${secretsOf(seen).reduce((safe, secret, at) => safe.replaceAll(JSON.stringify(secret).slice(1, -1), `secret-number-${at + 1}`), text)}\n`
}

/** One connection of each process to each server: kube-apiserver has a hundred to etcd. */
function distinct(connections: readonly TcpSocket[]): TcpSocket[] {
  const serverOf = ({ local, peer }: TcpSocket) => Math.min(...[local, peer].map((address) => Number(portOf(address))))
  return [...new Map(connections.map((socket) => [`${socket.pid} ${serverOf(socket)}`, socket])).values()]
}

function trimmed(log: readonly string[]): string[] {
  const lines = log.length <= HEAD + TAIL ? log : [...log.slice(0, HEAD), ...log.slice(-TAIL)]
  return lines.map((line) => line.slice(0, LONGEST_LINE))
}

function apiWithoutNoise(api: ObservedApi): ObservedApi {
  return {
    ...api,
    namespaces: api.namespaces?.map(withoutNoise),
    nodes: api.nodes?.map(withoutNoise),
    pods: api.pods?.map(withoutNoise),
    events: api.events?.map(eventWithoutNoise),
    services: api.services?.map(withoutNoise),
    leases: api.leases?.map(withoutNoise),
    deployments: api.deployments?.map(withoutNoise),
    replicaSets: api.replicaSets?.map(withoutNoise),
    certificateSigningRequests: api.certificateSigningRequests?.map(withoutNoise),
  }
}

/** An event's fields that findings read. */
function eventWithoutNoise({ metadata: { name, namespace }, ...event }: ApiObject): ApiObject {
  const { involvedObject, reason, message, lastTimestamp } = event
  return { metadata: { name, namespace }, involvedObject, reason, message, lastTimestamp }
}

/** An object without the fields that are long and that no finding reads. */
function withoutNoise(object: ApiObject): ApiObject {
  const {
    managedFields: _,
    annotations: __,
    ...metadata
  } = object.metadata as ApiObject["metadata"] & {
    readonly managedFields?: unknown
    readonly annotations?: unknown
  } // Any object may have both.
  const { status } = object
  if (typeof status !== "object" || status === null) return { ...object, metadata }
  const { images: ___, nodeInfo: ____, ...rest } = status as Readonly<Record<string, unknown>> // Those of a Node.
  return { ...object, metadata, status: rest }
}

import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ApiObject, Observation, ObservedApi } from "./observation.ts"
import { secretsOf } from "./secrets.ts"

/** Lines of a log that are kept from its beginning and from its end. */
const HEAD = 20
const TAIL = 60
/** Characters of one line that are kept. */
const LONGEST_LINE = 1_500

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
    api: seen.api && apiWithoutNoise(seen.api),
  }
  const text = JSON.stringify(kept, undefined, 1)
  return `${secretsOf(seen).reduce((safe, secret, at) => safe.replaceAll(JSON.stringify(secret).slice(1, -1), `secret-number-${at + 1}`), text)}\n`
}

function trimmed(log: readonly string[]): string[] {
  const lines = log.length <= HEAD + TAIL ? log : [...log.slice(0, HEAD), ...log.slice(-TAIL)]
  return lines.map((line) => line.slice(0, LONGEST_LINE))
}

function apiWithoutNoise({ version, ...lists }: ObservedApi): ObservedApi {
  const { namespaces, nodes, pods, events, services, leases, deployments, replicaSets } = lists
  return {
    version,
    namespaces: namespaces.map(withoutNoise),
    nodes: nodes.map(withoutNoise),
    pods: pods.map(withoutNoise),
    events: events.map(withoutNoise),
    services: services.map(withoutNoise),
    leases: leases.map(withoutNoise),
    deployments: deployments.map(withoutNoise),
    replicaSets: replicaSets.map(withoutNoise),
  }
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

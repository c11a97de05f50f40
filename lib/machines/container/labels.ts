import { readlinkSync } from "node:fs"
import { hostname } from "node:os"

/** Labels of all containers and volumes that a run makes on an engine. */
export const LABELS = {
  /** The run's folder. */
  run: "byhand.run",
  /** The identity of the run's keeper process, see `identify`. */
  keeper: "byhand.keeper",
  /** The host of the keeper process. On another host, its PID has no meaning. */
  host: "byhand.host",
} as const

/** Identifies this host and its PID namespace, because several hosts and containers can share an engine. */
export function thisHost(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`
  } catch {
    return hostname() // A system without /proc has no PID namespaces.
  }
}

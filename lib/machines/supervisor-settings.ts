import { quote } from "../base/shell.ts"
import { CAPABILITIES } from "./capabilities.ts"
import { cgroupOf } from "./cgroup.ts"
import { ENVIRONMENT } from "./environment.ts"
import type { Limits } from "./limits.ts"
import { ADDRESS, MACHINES } from "./network.ts"

/** The settings for the shell scripts that make a machine. */
export interface SupervisorSettings {
  /** The run's folder. */
  readonly run: string
  /** The host name of the machine. */
  readonly name: string
  /** Whether the machine's root is root of the host, or root of a user namespace. */
  readonly mode: "root" | "user"
  /** The path of Node.js. Empty for a container, because its entry script finds the path. */
  readonly node: string
  /** The folder of the compiled agent. */
  readonly agent: string
  /** The folder of the scripts. */
  readonly scripts: string
  /** The id of the user who may connect to the agent. Empty if it is the user who runs the supervisor. */
  readonly owner: string
  /** The folder that keeps the logs of the last runs. */
  readonly logs: string
  readonly limits: Limits
}

/** The file in a run's folder that contains the settings. */
export const SETTINGS_FILE = "settings"

/** The settings as lines KEY=value that a shell can source. A limit of 0 means no limit. */
export function settingsText({ limits, ...given }: SupervisorSettings): string {
  const values: Readonly<Record<string, string>> = {
    ...given,
    address: ADDRESS,
    hosts: Object.entries(MACHINES)
      .map(([name, address]) => `${address} ${name}\n`)
      .join(""), // The end of /etc/hosts.
    cgroup: cgroupOf(given.run),
    capabilities: CAPABILITIES.map((capability) => `+${capability.toLowerCase()}`).join(","),
    path: ENVIRONMENT.PATH,
    home: ENVIRONMENT.HOME,
    lang: ENVIRONMENT.LANG,
    memory: String(limits.memory ?? 0), // bytes
    processes: String(limits.processes ?? 0),
    disk: String(limits.disk ?? 0), // bytes
    seconds: String(limits.seconds ?? 0),
  }
  return Object.entries(values)
    .map(([key, value]) => `${key}=${quote([value])}\n`)
    .join("")
}

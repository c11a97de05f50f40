import { quote } from "../base/shell.ts"
import { CAPABILITIES } from "./capabilities.ts"
import { cgroupOf } from "./cgroup.ts"
import { ENVIRONMENT } from "./environment.ts"
import type { Limits } from "./limits.ts"
import { ADDRESS } from "./provider.ts"

/** What the shell scripts that make a machine are told. */
export interface SupervisorSettings {
  /** The run's folder. */
  readonly run: string
  /** The host name of the machine. */
  readonly name: string
  /** Who the machine's root is: root of the host, or root of a user namespace. */
  readonly mode: "root" | "user"
  /** Path of Node.js. Empty for a container: its entry script finds it. */
  readonly node: string
  /** The folder of the compiled agent. */
  readonly agent: string
  /** The folder of the scripts. */
  readonly scripts: string
  /** Id of the user who may talk to the agent. Empty where that is the user who runs the supervisor. */
  readonly owner: string
  /** The folder that keeps the logs of the last runs. */
  readonly logs: string
  readonly limits: Limits
}

/** The file in a run's folder that holds the settings. */
export const SETTINGS_FILE = "settings"

/** The settings as lines KEY=value that a shell can source. Limits are 0 where there is none. */
export function settingsText({ limits, ...given }: SupervisorSettings): string {
  const values: Readonly<Record<string, string>> = {
    ...given,
    address: ADDRESS,
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

import type { Settings } from "../base/settings.ts"
import type { AgentMachine } from "./agent-machine.ts"
import type { Limits } from "./limits.ts"

/** What a machine is made with. */
export interface MachineOptions {
  /** Its host name, and so the Node's name. */
  readonly name: string
  /** Files of the host that it is given: source there, target here. */
  readonly binds: readonly { readonly source: string; readonly target: string }[]
  readonly settings: Settings
  /** The folder under settings.runsDir; a name of its own by default. */
  readonly id?: string
  /** Those that are given take the place of the ordinary ones. */
  readonly limits?: Limits
}

/** A machine that has started. */
export interface Started {
  readonly machine: AgentMachine
  /** The run's folder on the host. */
  readonly folder: string
  /** The folder on the host that keeps the machine's logs once it has ended; those of the last ten runs are kept. */
  readonly logs: string
  /** Lets the machine live on when this process ends. */
  readonly detach: () => Promise<void>
}

/** A machine's address in its own network, which no other machine shares. */
export const ADDRESS = "10.77.0.2"

import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import type { Limits } from "./limits.ts"
import type { Machine } from "./machine.ts"
import type { MachineName, Network } from "./network.ts"

/** What a machine is made of: Linux namespaces of this host, or a container of a Docker engine. */
export type Kind = Exclude<Settings["machine"], "auto">

/** Whether machines of one kind can be made on this host. */
export type Availability =
  | {
      readonly isAvailable: true
      /** What such a machine lacks to run containers, if this is known before it starts. */
      readonly lacks: string | undefined
    }
  | { readonly isAvailable: false; /** Why not, as the end of a sentence. */ readonly reason: string }

/** Options for the start of a machine. */
export interface MachineOptions {
  /** The host name of the machine. It is also the name of the Node. */
  readonly name: string
  /** Files of the host that the machine gets: source on the host, target on the machine. */
  readonly binds: readonly { readonly source: string; readonly target: string }[]
  /** The name of the run's folder in settings.runsDir. The default is a name that no other run has. */
  readonly id?: string
  /** Limits that replace the ordinary ones. */
  readonly limits?: Limits
}

/** A machine that has started. */
export interface Started {
  readonly machine: Machine
  /** The further machines of the run, which start when they are asked for. */
  readonly network: Network
  /** The run's folder on the host. */
  readonly folder: string
  /** The folder on the host that keeps the machine's logs after its end. The logs of the last ten runs are kept. */
  readonly logs: string
  /** Lets the machine continue to run when this process ends. */
  readonly detach: () => Promise<void>
}

/** A running machine that another process has started. */
export interface Attached {
  readonly machine: Machine
  /** The further machines of the run. */
  readonly network: Network
  /** The run's folder on the host. */
  readonly folder: string
  /** Resolves when the machine has ended. */
  readonly whenEnded: () => Promise<void>
  /**
   * Runs a command on the machine with the terminal or pipes of this process.
   * @param on a further machine that runs; by default the first
   * @returns the exit status of the command
   */
  readonly enter: (command: readonly string[], on?: MachineName) => Promise<number>
}

/** Makes machines of one kind. A command chooses its provider once (see providers.ts) and passes it on. */
export interface MachineProvider {
  readonly kind: Kind
  /** Finds out whether this host can make such machines, by trying it. Changes nothing. */
  readonly available: () => Promise<Availability>
  /**
   * Does the slow preparations, such as building a container's image, before the first machine starts.
   * @throws EngineError, MachineImageError
   */
  readonly prepare: (progress: Progress) => Promise<void>
  /** Starts a machine. @throws MachineStartError, UsageError, PrivilegeError */
  readonly start: (options: MachineOptions) => Promise<Started>
  /**
   * The running machine of this kind in a run's folder. Undefined if there is none.
   * @param id the name of that folder
   */
  readonly attach: (id: string) => Promise<Attached | undefined>
}

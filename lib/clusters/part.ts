import type { ComponentName, FlagChanges } from "../components/component.ts"
import type { Known } from "./known.ts"
import type { SettingsOf } from "../components/registry.ts"
import type { Started } from "../components/settings/flags.ts"

/** The grace period: the time between SIGTERM and SIGKILL (milliseconds). */
export const GRACE = 20_000

/**
 * One component of a cluster, of our own cluster or of a learner's. It can be inspected, started, stopped, killed and
 * restarted.
 */
export interface Part<Name extends ComponentName = ComponentName> extends Started {
  readonly name: Name
  /**
   * Its settings, as they were read at its last start. If it never started, the settings that follow from its command
   * line.
   */
  readonly settings: SettingsOf<Name>
  /** The PID of its process on the machine. @throws ComponentError if it does not run */
  readonly pid: number
  readonly isRunning: boolean
  /** The error of its last start, if that failed. */
  readonly failure: Error | undefined
  /** The facts that a diagnosis cannot observe on the machine. */
  readonly known: Known
  /**
   * Starts it, and waits until it is ready, until it exits, or until the timeout passes. Does nothing if it runs.
   * @param changes flags that differ for this start only
   * @throws ComponentError with the failure and the last lines of its log
   */
  start(changes?: FlagChanges): Promise<void>
  /** Sends SIGTERM, and SIGKILL if the process has not ended after the grace period. Resolves when it has ended. */
  stop(): Promise<void>
  /** Sends SIGKILL. Resolves when the process has ended. */
  kill(): Promise<void>
  restart(changes?: FlagChanges): Promise<void>
  /**
   * The settings of the other processes of the same instance, such as further members of etcd on this machine. They
   * start and end with this one. undefined if it has only one process.
   */
  fellows?(): Promise<readonly SettingsOf<Name>[]>
  /** Starts a second instance beside it, with changed flags. `await using` ends the second instance. */
  another(changes: FlagChanges): Promise<Beside>
}

/** A second instance of a component, beside the one of the cluster. */
export interface Beside extends AsyncDisposable {
  readonly pid: number
  kill(): Promise<void>
}

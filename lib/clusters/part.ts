import type { ComponentName, FlagChanges } from "../components/component.ts"
import type { Known } from "./known.ts"
import type { SettingsOf } from "../components/registry.ts"
import type { Started } from "../components/settings/flags.ts"

/** How long a component has to end by itself after SIGTERM, before SIGKILL (milliseconds). */
export const GRACE = 20_000

/** One component of a cluster, ours or somebody else's: to look at, start, stop, kill and restart. */
export interface Part<Name extends ComponentName = ComponentName> extends Started {
  readonly name: Name
  /** Its settings as they were read when it last started; where it never did, those that it would have by its command line alone. */
  readonly settings: SettingsOf<Name>
  /** Its process's number on the machine. @throws where it does not run */
  readonly pid: number
  readonly isRunning: boolean
  /** Why its last start failed, if it did. */
  readonly failure: Error | undefined
  /** What a diagnosis cannot see. */
  readonly known: Known
  /**
   * Starts it and waits until it is ready, or has exited, or has run out of time, whichever is first. Does nothing where it runs.
   * @param changes what differs this once from how it is started otherwise
   * @throws ComponentError with what went wrong and the last lines of its log
   */
  start(changes?: FlagChanges): Promise<void>
  /** Asks it to end (SIGTERM); kills it where it does not. Resolves when it has ended. */
  stop(): Promise<void>
  /** Ends it at once (SIGKILL). Resolves when it has ended. */
  kill(): Promise<void>
  restart(changes?: FlagChanges): Promise<void>
  /** One more of its kind beside it, with what must differ; ended with `await using`. */
  another(changes: FlagChanges): Promise<Beside>
}

/** One more component beside a cluster's own. */
export interface Beside extends AsyncDisposable {
  readonly pid: number
  kill(): Promise<void>
}

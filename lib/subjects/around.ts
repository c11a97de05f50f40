import type { Disturbances } from "../clusters/disturbances.ts"
import type { ComponentName } from "../components/component.ts"
import type { Administrator } from "../clients/probe.ts"
import type { Explain } from "../failures/failure.ts"
import type { Foresee } from "../failures/wait.ts"
import type { Exit, Machine } from "../machines/machine.ts"
import type { Genuine } from "./genuine.ts"
import type { OwnValues } from "./own-values.ts"
import type { Sightings } from "./sightings.ts"
import type { Trace } from "./trace.ts"

/** A script that was started, with its log and its exit status. */
export interface Run {
  readonly name: string
  readonly log: string
  readonly exit: Exit | undefined
  /** The pid of its shell; undefined if it was started by an earlier run of this program. */
  readonly pid: number | undefined
  /** The commands that it has run; undefined if it was started by an earlier run of this program. */
  readonly trace: Trace | undefined
  /** The number of processes that had been seen when it started. */
  readonly seenBefore: number
}

/** What a cluster provides to a component that a script starts. */
export interface Around {
  readonly machine: Machine
  /** The longest time that a component may take to become ready (milliseconds). */
  readonly patience: number
  readonly genuine: Genuine
  /** The values that the cluster must have; undefined if a learner may choose all of them. */
  readonly own: OwnValues | undefined
  /** Returns the credentials of an administrator for kube-apiserver. */
  readonly administrator: Administrator
  /** Finds the known cause of a failure while the broken process still exists. */
  readonly explain: Explain
  /** Looks for causes that no time heals while a component is awaited. By default there are none. */
  readonly foresee?: Foresee | undefined
  /** Runs the scripts that a component may need and that have not run yet. */
  readonly runScripts: (name: ComponentName) => Promise<void>
  /** Returns the run of the script that must start a component; undefined if the script has not run yet. */
  readonly runOf: (name: ComponentName) => Run | undefined
  /** The name that a script for a component would have, such as "02-NAME.sh"; undefined if there is such a script. */
  readonly missingScript: (name: ComponentName) => string | undefined
  /** Which components are down. */
  readonly disturbances: Disturbances
  /** The processes of components that were seen. */
  readonly sightings: Sightings
}

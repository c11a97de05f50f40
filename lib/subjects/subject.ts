import type { Known } from "../clusters/known.ts"
import type { Access } from "../components/discovery/access.ts"
import type { ComponentName } from "../components/registry.ts"
import type { ScriptPlace } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"
import type { Identifier } from "./host-identifiers.ts"
import type { Part } from "../clusters/part.ts"
import type { Stage } from "../clusters/stage.ts"
import type { Permission } from "../clusters/permission.ts"

/** A component of ours that runs in place of the learner's. */
export interface StandIn {
  readonly component: ComponentName
  /** Why the learner's does not run. */
  readonly reason: string
}

/** The cluster that is graded: our own, or the one that a learner's scripts start. Lessons use both in the same way. */
export interface Subject {
  readonly machine: Machine
  /** What lessons may do to it. The caller must check this before an action; the subject does not refuse any. */
  readonly permits: Permission
  /**
   * Whether a component that does not run is a failure although the subject does not permit to start it: a running host
   * has what its owner has started. Otherwise the outcome cannot be checked.
   */
  readonly reportsAbsence?: boolean
  /** The version of Kubernetes that it runs, without the v, where this program has not chosen it. */
  readonly kubernetes?: string | undefined
  /** Its components in start order. */
  readonly parts: readonly Part[]
  /** One of its components. */
  part<Name extends ComponentName>(name: Name): Part<Name>
  /**
   * Starts components and all that they depend on, in start order, unless they run already.
   * @throws BlockedError if a component did not start, now or at the last attempt
   * @throws ComponentError if a component was ready and has ended, and no lesson has caused that. It is thrown once: the
   * next call starts the component again, so that later outcomes are graded on their own merit.
   */
  ensure(names: readonly ComponentName[]): Promise<void>
  /** The components of ours that run in place of the learner's; none by default. */
  readonly standIns?: readonly StandIn[]
  /**
   * Starts ours in place of a component that did not start, and ends what is left of that. undefined if all components
   * are ours.
   * @throws ComponentError if ours does not start either, RemediedError if ours does not fit
   */
  standIn?(name: ComponentName): Promise<void>
  /** Forgets the components that have ended until now, because the outcome that they failed has reported it. */
  forgetExits(): Promise<void>
  /**
   * Changes how components are started from now on, up to the last of these stages. Our own cluster restarts the
   * components that run with other settings. For a learner's cluster, the scripts of each stage run, once.
   * @throws ComponentError if a learner's script fails; BlockedError in later calls
   */
  enter(stages: readonly Stage[]): Promise<void>
  /** Whether it can make the change of the lesson with this number. A learner's folder then has a script for it. */
  canEnter(number: number): boolean
  /** How an administrator reaches kube-apiserver. @throws NoAccessError if no kubeconfig gives full access */
  access(): Promise<Access>
  /** What identifies a running host and its cluster, so that copies can be found. */
  identifiers?(): Promise<readonly Identifier[]>
  /** The facts that a diagnosis cannot observe on the machine. */
  known(): Known[]
  /** The commands that the learner's scripts do not come past; undefined if no scripts start it. */
  waiting?(): Promise<readonly ScriptPlace[]>
  /**
   * The same cluster on another machine of the run, which is started if it does not run. Components start there when
   * they are asked for, without those that they depend on. Each caller gets the same, as long as the machine runs.
   * @param name the name of a further machine, or of the first
   * @throws NetworkError if the machine cannot be started
   */
  on(name: string): Promise<Subject>
}

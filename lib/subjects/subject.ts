import type { Known } from "../clusters/known.ts"
import type { Access } from "../components/discovery/access.ts"
import type { ComponentName } from "../components/registry.ts"
import type { Machine } from "../machines/machine.ts"
import type { Part } from "../clusters/part.ts"
import type { Component } from "../components/component.ts"
import type { Permission } from "../clusters/permission.ts"

/** The cluster that is graded: our own, or the one that a learner's scripts start. Lessons use both in the same way. */
export interface Subject {
  readonly machine: Machine
  /** What lessons may do to it. The caller must check this before an action; the subject does not refuse any. */
  readonly permits: Permission
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
  /** Forgets the components that have ended until now, because the outcome that they failed has reported it. */
  forgetExits(): Promise<void>
  /**
   * Changes how components are started from now on. The new changes replace earlier ones. A component that runs with
   * other settings is restarted. Does nothing if the learner's scripts decide how components are started.
   */
  configure(changes: { readonly [name in ComponentName]?: (component: Component) => Component }): Promise<void>
  /** How an administrator reaches kube-apiserver. @throws NoAccessError if no kubeconfig gives full access */
  access(): Promise<Access>
  /** The facts that a diagnosis cannot observe on the machine. */
  known(): Known[]
}

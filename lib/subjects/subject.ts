import type { Known } from "../clusters/known.ts"
import type { Access } from "../components/discovery/access.ts"
import type { ComponentName } from "../components/registry.ts"
import type { Machine } from "../machines/machine.ts"
import type { Part } from "../clusters/part.ts"
import type { Component } from "../components/component.ts"
import type { Permission } from "../clusters/permission.ts"

/** The cluster that is graded: our own, or the one that a learner's scripts start. To the lessons all are alike. */
export interface Subject {
  readonly machine: Machine
  /** What may be done to it. Whoever uses it must ask first; the subject itself does not refuse. */
  readonly permits: Permission
  /** Its components in start order. */
  readonly parts: readonly Part[]
  /** One of its components. */
  part<Name extends ComponentName>(name: Name): Part<Name>
  /**
   * Brings up components and everything that they come after, in start order, and brings back what is down.
   * @throws BlockedError where a component did not come up, now or when it was last tried
   */
  ensure(names: readonly ComponentName[]): Promise<void>
  /**
   * Changes how components are started from now on, in place of earlier such changes. A component that runs otherwise is
   * restarted. Does nothing if the subject decides itself how its components are started.
   */
  configure(changes: { readonly [name in ComponentName]?: (component: Component) => Component }): Promise<void>
  /** How an administrator reaches kube-apiserver. @throws NoAccessError where no kubeconfig allows everything */
  access(): Promise<Access>
  /** What a diagnosis cannot see. */
  known(): Known[]
}

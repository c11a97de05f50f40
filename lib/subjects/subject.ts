import type { Known } from "../clusters/known.ts"
import type { Access } from "../components/discovery/access.ts"
import type { ComponentName } from "../components/registry.ts"
import type { Machine } from "../machines/machine.ts"
import type { Part } from "../clusters/part.ts"

/** What may be done to a subject. Each includes those before it. */
export type Permission = "observe" | "restart" | "destroy"

/** The cluster that is graded: our own, or the one that a learner's scripts start. To the lessons all are alike. */
export interface Subject {
  readonly machine: Machine
  readonly permits: Permission
  /** Its components in start order. */
  readonly parts: readonly Part[]
  /** One of its components. */
  part(name: ComponentName): Part
  /**
   * Brings up components and everything that they come after, in start order, and brings back what is down.
   * @throws BlockedError where a component did not come up, now or when it was last tried
   */
  ensure(names: readonly ComponentName[]): Promise<void>
  /** How an administrator reaches kube-apiserver. @throws NoAccessError where no kubeconfig allows everything */
  access(): Promise<Access>
  /** What a diagnosis cannot see. */
  known(): Known[]
}

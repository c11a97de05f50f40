import type { Known } from "../clusters/known.ts"
import type { Access } from "../components/discovery/access.ts"
import type { Machine } from "../machines/machine.ts"
import type { Part } from "../clusters/part.ts"

/** What is graded: our own cluster, or what somebody's scripts start. To the lessons all are the same. */
export interface Subject {
  readonly machine: Machine
  readonly etcd: Part
  readonly apiserver: Part
  readonly scheduler: Part
  readonly containerd: Part
  readonly kubelet: Part
  /** In the order in which the lessons bring them up. */
  readonly components: readonly Part[]
  /**
   * Brings up what the lessons up to this one need, and brings back what is down.
   * @throws BlockedError where a component did not come up, now or when it was last tried
   */
  upTo(lesson: number): Promise<void>
  /** Brings up what runs containers. */
  startRuntime(): Promise<void>
  /** How an administrator gets in. @throws NoAccessError where nobody does */
  access(): Promise<Access>
  /** What a diagnosis cannot see. */
  known(): Known[]
}

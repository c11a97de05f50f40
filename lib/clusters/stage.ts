import type { Component, ComponentName } from "../components/component.ts"
import type { ClusterFacts } from "../components/spec.ts"

/** Changes to components by name: flags and files that differ from a lesson on. */
export type Changes = { readonly [name in ComponentName]?: (component: Component, facts: ClusterFacts) => Component }

/** A lesson that changes how components are started. The change stays in all later lessons. */
export interface Stage {
  /** The number of the lesson. A learner's scripts with this number make the change. */
  readonly number: number
  /** The components that run in the lesson. */
  readonly components: readonly ComponentName[]
  /** The components that the lesson itself starts in another way, or for the first time. */
  readonly changed: readonly ComponentName[]
  /** How our own components differ from here on, with the changes of earlier stages. */
  readonly changes: Changes
}

import { channel } from "node:diagnostics_channel"
import type { Exit } from "../machines/machine.ts"
import type { ComponentName } from "./component.ts"

/** A change in the life of a component's process. */
export type ComponentEvent = { readonly component: ComponentName } & (
  | { readonly type: "component started"; readonly pid: number }
  | {
      readonly type: "component ready"
      readonly pid: number
      /** Time since the start of the process. */
      readonly milliseconds: number
    }
  | {
      readonly type: "component exited"
      readonly pid: number
      /** undefined if the exit status is not known. */
      readonly exit: Exit | undefined
    }
  /** From now on, ours runs in place of the learner's. `reason` says why the learner's does not. */
  | { readonly type: "component replaced"; readonly reason: string }
)

// A channel of node:diagnostics_channel: a cluster does not need to know the listeners, and without a listener a report
// costs nothing.
const events = channel("byhand:component")

/** Reports a change in the life of a component's process. */
export function reportComponent(event: ComponentEvent): void {
  events.publish(event)
}

/** Calls a listener for each later change that a cluster in this process reports. */
export function onComponentEvent(listener: (event: ComponentEvent) => void): void {
  events.subscribe((event) => {
    listener(event as ComponentEvent) // Only reportComponent publishes on this channel.
  })
}

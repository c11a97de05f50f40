import { channel } from "node:diagnostics_channel"
import type { Exit } from "../machines/machine.ts"
import type { ComponentName } from "./component.ts"

/** A change in the life of a component's process. */
export type ComponentEvent = { readonly component: ComponentName; readonly pid: number } & (
  | { readonly type: "component started" }
  | { readonly type: "component ready"; /** Since its start. */ readonly milliseconds: number }
  | {
      readonly type: "component exited"
      /** undefined where only its absence was seen. */ readonly exit: Exit | undefined
    }
)

// A channel of Node's own: the clusters report without knowing who listens, and reporting costs nothing if nobody does.
const events = channel("byhand:component")

/** Reports a change in the life of a component's process. */
export function reportComponent(event: ComponentEvent): void {
  events.publish(event)
}

/** Calls a listener for each change that a cluster of this process reports from now on. */
export function onComponentEvent(listener: (event: ComponentEvent) => void): void {
  events.subscribe((event) => {
    listener(event as ComponentEvent) // Only reportComponent publishes there.
  })
}

import type { Component, ComponentFile } from "../../components/component.ts"

/** Writes those lines of a lesson that differ between the transcript and the hints. */
export interface Hand {
  /** Writes a component's files and starts its process. */
  readonly start: (component: Component) => string
  /** Starts a component again after it was killed: only its command. */
  readonly again: (component: Component) => string
  /** Ends a component and starts it again with the command line that it has, in which one flag differs. */
  readonly restart: (component: Component, flag: string) => string
  /** Ends components with SIGKILL. */
  readonly kill: (components: readonly Component[]) => string
  /** Starts the image registry and fills it. */
  readonly registry: (component: Component, pushes: readonly string[]) => string
  /** Provides a file that is in a learner's folder from the beginning. @param title what is in it */
  readonly given: (file: ComponentFile, title: string) => string
  /** Waits until a command succeeds. */
  readonly waitFor: (command: string) => string
}

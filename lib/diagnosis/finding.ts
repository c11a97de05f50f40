import type { ComponentName } from "../components/component.ts"

/** What is wrong, why, and what to type. */
export interface Finding {
  /** What it is called in the catalogue. */
  readonly id: string
  /** The component that is unwell, or that is to be looked at. */
  readonly component: ComponentName
  /** A clause: "nothing listens on 127.0.0.1:2379". */
  readonly cause: string
  readonly remedy: string
  /** What gave it away, word for word. */
  readonly evidence: string
  /** What to type on the machine to look closer. */
  readonly look: string
}

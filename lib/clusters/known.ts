import type { ComponentName } from "../components/component.ts"

/** What is known of a component by the program that started it. Everything else is observed. */
export interface Known {
  readonly name: ComponentName
  readonly argv: readonly string[]
  /** Whether it should run now. */
  readonly isMeantToBe: boolean
  /** The file of its output, where that is not the usual one. */
  readonly logPath?: string
}

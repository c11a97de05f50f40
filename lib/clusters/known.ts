import type { ComponentName } from "../components/component.ts"

/**
 * What the cluster knows about a component because it started or manages it. Everything else is observed on the
 * machine.
 */
export interface Known {
  readonly name: ComponentName
  readonly argv: readonly string[]
  /** The PID of its process, or of its last one; undefined if none is known. */
  readonly pid?: number | undefined
  /** Whether its process was started in place of an earlier one that has another log; false if that is not known. */
  readonly hasRunBefore?: boolean
  /** Whether the component must be running now. */
  readonly isMeantToBe: boolean
  /** The path of its log file, if it differs from the default. */
  readonly logPath?: string
  /** The path of the learner's script that starts it, if that is known. */
  readonly scriptPath?: string
}

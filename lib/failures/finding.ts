import type { ComponentName } from "../components/registry.ts"
import type { MachineName } from "../machines/network.ts"

/** A known cause of a failure, with its evidence, its remedy, and a command to look closer. */
export interface Finding {
  /** Its name in the catalogue, in kebab case, such as "port-taken". */
  readonly id: string
  /** The component that has the problem; undefined if the machine has the problem, such as a full disk. */
  readonly component: ComponentName | undefined
  /** The further machine that has the problem; undefined for the first. */
  readonly machine?: MachineName
  /** A clause that states the fact, such as "no process listens on 127.0.0.1:2379". */
  readonly cause: string
  /** What the learner must do, as sentences or as a command. */
  readonly remedy: string
  /** What proves the cause, word for word: a log line, a socket or a setting. */
  readonly evidence: string
  /** A command that shows the problem on the machine. */
  readonly look: string
}

/** A component that is not well, with the last lines of its log. It is shown if no known cause matches. */
export interface Unwell {
  readonly name: ComponentName
  /** A clause without a subject, such as "does not run" or "was not ready after 15.0 s". */
  readonly state: string
  /** undefined if it has no log that is known. */
  readonly logPath: string | undefined
  readonly lastLines: readonly string[]
}

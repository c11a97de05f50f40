import type { ComponentName } from "../components/registry.ts"

/** A known cause of a failure: what is wrong, why that matters, and what to type. */
export interface Finding {
  /** Its name in the catalogue, in kebab case: "etcd-port-taken". */
  readonly id: string
  /** The component that has the problem; undefined where the problem is the machine's, such as a full disk. */
  readonly component: ComponentName | undefined
  /** A clause that states the fact: "nothing listens on 127.0.0.1:2379". */
  readonly cause: string
  /** What to do, as sentences or as a command. */
  readonly remedy: string
  /** What proves it, word for word: a line of a log, a socket, a setting. */
  readonly evidence: string
  /** A command that shows it on the machine. */
  readonly look: string
}

/** A component that is not well, in its own words: what is left to say where no known cause fits. */
export interface Unwell {
  readonly name: ComponentName
  /** A clause without its subject: "does not run", "was not ready after 15.0 s". */
  readonly state: string
  readonly logPath: string
  readonly lastLines: readonly string[]
}

import type { ComponentName } from "../components/component.ts"
import { assertNever } from "../base/assert-never.ts"
import { describe, logFileOf } from "../failures/describe.ts"
import { FailureError } from "../failures/errors.ts"
import type { ComponentFailure } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"

/** The number of log lines that an error about a component shows. */
export const LOG_LINES = 12
/** The largest number of characters of an answer that an error keeps. */
export const LONGEST_ANSWER = 500

/** A failure of a component, without the fields that are added when its log is read. */
export type WithoutLog = ComponentFailure extends infer Kind
  ? Kind extends ComponentFailure
    ? Omit<Kind, "name" | "log" | "logPath" | "bash" | "machine">
    : never
  : never

/** A component that others depend on did not start, now or at the last attempt. */
export class BlockedError extends Error {
  readonly component: ComponentName
  constructor(component: ComponentName, cause: Error) {
    super(`blocked by ${component}`, { cause })
    this.name = "BlockedError"
    this.component = component
  }
}

/** A component did not start, or did not keep running. The error carries the failure and its known cause. */
export class ComponentError extends FailureError<ComponentFailure> {
  readonly finding: Finding | undefined

  constructor(failure: ComponentFailure, finding: Finding | undefined) {
    super(failure, remedyOf(failure, finding), {}, finding?.cause)
    this.finding = finding
  }

  get component(): ComponentName {
    return this.failure.name
  }

  /** The state of the component, with the last lines of its log. */
  get unwell(): Unwell {
    const { name, log, machine } = this.failure
    const state = stateOf(this.failure)
    return {
      name,
      state: machine === undefined ? state : `on ${machine} ${state}`,
      logPath: logFileOf(this.failure),
      lastLines: log,
    }
  }
}

/** The PID of a component's process. @throws ComponentError if it does not run */
export function pidOf(running: { readonly pid: number } | undefined, name: ComponentName, logPath: string): number {
  if (running === undefined) throw new ComponentError({ kind: "not-running", name, log: [], logPath }, undefined)
  return running.pid
}

function remedyOf({ log, logPath }: ComponentFailure, finding: Finding | undefined): string {
  const end = log.length === 0 ? "." : `. The last lines of its log (${logPath}):`
  const remedy = finding?.remedy ?? `No known cause matches${end}`
  return [remedy, ...log.map((line) => `    ${line}`)].join("\n")
}

/** The failure as a clause without a subject. */
function stateOf(failure: ComponentFailure): string {
  const problem = describe(failure)
  switch (failure.kind) {
    case "component-exited":
    case "not-ready":
    case "not-running":
    case "foreign-listener":
    case "not-genuine":
    case "value-of-another":
      return problem.slice(failure.name.length + 1)
    case "not-started":
    case "script-ended":
    case "script-runs-on":
      return `does not run: ${problem}`
    default:
      return assertNever(failure)
  }
}

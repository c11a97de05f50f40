import { logOf, type ComponentName } from "../components/component.ts"
import type { Unwell } from "../diagnosis/diagnose.ts"
import type { Finding } from "../diagnosis/finding.ts"
import { RemediedError } from "../base/errors.ts"
import type { Exit } from "../machines/machine.ts"

/** How many last lines of its log an error about a component shows. */
export const LOG_LINES = 12

/** How a process ended, as a clause without its subject. */
export function howEnded({ code, signal }: Exit): string {
  return code === null ? `was ended by ${signal}` : `exited with ${code}`
}

/** A component did not come up, or did not stay up; carries what its log says. */
export class ComponentError extends RemediedError {
  readonly component: ComponentName
  /** What happened, in a clause, without why. */
  readonly problem: string
  readonly finding: Finding | undefined
  /** The component in its own words. */
  readonly unwell: Unwell

  constructor(
    component: ComponentName,
    problem: string,
    finding: Finding | undefined,
    log: readonly string[],
    logPath = logOf(component),
  ) {
    super(
      finding === undefined ? `${problem}.` : `${problem}: ${finding.cause}.`,
      [finding?.remedy ?? `Nothing known fits; its log (${logPath}) ends:`, ...log.map((line) => `    ${line}`)].join(
        "\n",
      ),
    )
    this.component = component
    this.problem = problem
    this.finding = finding
    this.unwell = {
      name: component,
      state: problem.startsWith(`${component} `) ? problem.slice(component.length + 1) : `does not run: ${problem}`,
      logPath,
      lastLines: log,
    }
  }
}

/** It ended before it was ready. */
export class ComponentExitedError extends ComponentError {}

/** It neither became ready nor ended in the time it was given. */
export class ComponentTimeoutError extends ComponentError {}

/** Somebody else answers where the component should. */
export class ForeignListenerError extends ComponentError {}

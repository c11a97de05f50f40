import type { Known } from "../clusters/known.ts"
import { describe } from "../failures/describe.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"
import type { Machine } from "../machines/machine.ts"
import { diagnose, unwell } from "./diagnose.ts"
import { nothing, observe } from "./observe.ts"

/** Why something went wrong, as far as that is known. */
export interface Explanation {
  /** The most telling finding; undefined where no known cause fits. */
  readonly finding: Finding | undefined
  /** Every component that is not well, in its own words. */
  readonly unwell: readonly Unwell[]
}

/**
 * Looks at a machine and finds the known cause of a failure. It must be called while the broken processes are still there.
 * @param known what cannot be seen of the components
 */
export async function explain(
  machine: Machine,
  known: readonly Known[],
  failure: Failure,
  complaint = complaintOf(failure),
): Promise<Explanation> {
  const seen = await observe(machine, known, failure, complaint).catch(() => nothing(machine.name, failure, complaint)) // The machine may be gone.
  return { finding: diagnose(seen)[0], unwell: unwell(seen) }
}

function complaintOf(failure: Failure): string {
  const problem = describe(failure)
  if (failure.kind === "script-ended" || failure.kind === "not-started")
    return `${failure.name} was not started: ${problem}`
  return failure.kind === "component-exited" ? [problem, ...failure.log].join("\n") : problem
}

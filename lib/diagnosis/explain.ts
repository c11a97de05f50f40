import type { Known } from "../clusters/known.ts"
import type { Failure, ScriptPlace } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"
import type { Foreseen } from "../failures/wait.ts"
import { KUBECONFIG_FILE } from "../kubeconfig/kubeconfig.ts"
import type { Machine } from "../machines/machine.ts"
import { diagnose, explains, foreseen, unwell } from "./diagnose.ts"
import { nothing, observe, type Depth } from "./observe.ts"
import { record } from "./record.ts"

/** Why something went wrong, as far as that is known. */
export interface Explanation {
  /** The most telling finding; undefined where no known cause fits. */
  readonly finding: Finding | undefined
  /** Every component that is not well, in its own words. */
  readonly unwell: readonly Unwell[]
}

/** What the program that explains a failure knows, and the machine does not show. */
export interface Circumstances {
  readonly known: readonly Known[]
  /** The kubeconfig that kubectl was given; by default the one that it reads by itself. */
  readonly kubeconfigPath?: string | undefined
  /** Tells which commands the learner's scripts do not come past; by default there are no scripts. */
  readonly waiting?: (() => Promise<readonly ScriptPlace[]>) | undefined
  /** The machines whose links the lesson has changed; by default none. */
  readonly changedLinks?: readonly string[] | undefined
  /** The folder that the observation is recorded in; undefined where it is not recorded. */
  readonly recordings?: string | undefined
}

/**
 * Observes a machine and finds the known cause of a failure. It must be called while the broken processes are still
 * there.
 */
export async function explain(
  machine: Machine,
  failure: Failure,
  { known, kubeconfigPath = KUBECONFIG_FILE, waiting, changedLinks, recordings }: Circumstances,
): Promise<Explanation> {
  // The machine may be gone.
  const seen = await observe(machine, { known, failure, kubeconfigPath, waiting, changedLinks }).catch(() =>
    nothing(machine.name, failure),
  )
  if (recordings !== undefined) record(recordings, seen)
  return { finding: diagnose(seen)[0], unwell: unwell(seen) }
}

/**
 * Looks once for causes that no time heals, while something is still awaited. It looks at less than `explain`, because
 * it must not slow what is awaited.
 * @param depth "components" if a component is awaited, "objects" if the objects of the API matter too
 * @throws if the machine has ended
 */
export async function foresee(
  machine: Machine,
  failure: Failure,
  { known, kubeconfigPath = KUBECONFIG_FILE, recordings }: Circumstances,
  depth: Exclude<Depth, "all">,
): Promise<readonly Foreseen[]> {
  const seen = await observe(machine, { known, failure, kubeconfigPath, depth })
  const found = foreseen(seen)
  // The card can show one of these.
  if (recordings !== undefined && found.length > 0) record(recordings, seen)
  const canExplain = explains(failure)
  return depth === "objects" ? found : found.filter(({ finding }) => canExplain(finding))
}

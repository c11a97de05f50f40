import type { Known } from "../clusters/known.ts"
import { RemediedError } from "../base/errors.ts"
import type { Failure, ScriptPlace } from "../failures/failure.ts"
import type { Finding, Unwell } from "../failures/finding.ts"
import type { Foreseen } from "../failures/wait.ts"
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
  /** The flags with which the outcome has started components; by default none. */
  readonly changedFlags?: readonly string[] | undefined
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
  { recordings, ...circumstances }: Circumstances,
): Promise<Explanation> {
  try {
    const seen = await observe(machine, { ...circumstances, failure }).catch((error: unknown) => {
      if (error instanceof RemediedError) return nothing(machine.name, failure) // The machine may be gone.
      throw error
    })
    if (recordings !== undefined) record(recordings, seen)
    return { finding: diagnose(seen)[0], unwell: unwell(seen) }
  } catch (error) {
    return { finding: ownDefect(error), unwell: [] }
  }
}

/** The diagnosis itself has failed. A card without a cause would hide that. */
function ownDefect(error: unknown): Finding {
  const where = error instanceof Error ? (error.stack ?? "").split("\n")[1]?.trim() : undefined
  return {
    id: "diagnosis-failed",
    component: undefined,
    cause: "the course itself has a defect: it could not look for the cause",
    remedy: "Report this line to the authors of the course, with your scripts.",
    evidence: `${String(error)}${where === undefined ? "" : ` ${where}`}`,
    look: "npx byhand --version",
  }
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
  { recordings, ...circumstances }: Circumstances,
  depth: Exclude<Depth, "all">,
): Promise<readonly Foreseen[]> {
  const seen = await observe(machine, { ...circumstances, waiting: undefined, failure, depth })
  const found = foreseen(seen)
  // The card can show one of these.
  if (recordings !== undefined && found.length > 0) record(recordings, seen)
  const canExplain = explains(failure)
  return depth === "objects" ? found : found.filter(({ finding }) => canExplain(finding))
}

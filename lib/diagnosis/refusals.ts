import { quote } from "../base/shell.ts"
import type { Observation } from "./observation.ts"
import { componentOf } from "./symptom.ts"

/** A request that kube-apiserver refuses. One that it broke off before, because it was restarted, does not count. */
const FORBIDDEN =
  /forbidden: User \\?"([^"\\]+)\\?" cannot (\w+) resource \\?"([^"\\]+)\\?"(?: in API group \\?"([^"\\]*)\\?")?(?: in the namespace \\?"([^"\\]+)\\?")?(?!.*error from a previous attempt)/
/** A few refusals are normal while kube-apiserver starts, because it has not written its default roles yet. */
const OFTEN = 5

/** A request that kube-apiserver refuses to kube-controller-manager. */
interface Refusal {
  /** The newest line of the log about it. */
  readonly evidence: string
  readonly user: string
  /** The command that asks kube-apiserver whether it refuses this request now. */
  readonly review: string
}

/** What the log of kube-controller-manager says about it; undefined if kube-apiserver refused little. */
function loggedRefusal({
  components,
  kubeconfigPath,
}: Pick<Observation, "components" | "kubeconfigPath">): Refusal | undefined {
  const log = componentOf({ components }, "kube-controller-manager")?.log ?? []
  const lines = log.filter((line) => FORBIDDEN.test(line))
  const evidence = lines.at(-1)?.trim()
  if (lines.length < OFTEN || evidence === undefined) return undefined
  const [, user = "", verb = "", resource = "", group = "", namespace] = FORBIDDEN.exec(evidence) ?? []
  const what = group === "" ? resource : `${resource}.${group}`
  const where = namespace === undefined ? "--all-namespaces" : `--namespace=${namespace}`
  const review = ["kubectl", `--kubeconfig=${kubeconfigPath}`, "auth", "can-i", verb, what, where, `--as=${user}`]
  return { evidence, user, review: quote(review) }
}

/** The commands that show whether kube-apiserver still refuses what the log of kube-controller-manager names. */
export function accessReviews(seen: Pick<Observation, "components" | "kubeconfigPath">): string[] {
  const refusal = loggedRefusal(seen)
  return refusal === undefined ? [] : [refusal.review]
}

/**
 * What kube-apiserver refuses to kube-controller-manager. A line of its log is not enough: kube-apiserver refuses
 * requests for a moment after each of its starts.
 */
export function refusedToControllerManager(seen: Observation): Refusal | undefined {
  const refusal = loggedRefusal(seen)
  return refusal === undefined || seen.looks[refusal.review]?.startsWith("yes") === true ? undefined : refusal
}

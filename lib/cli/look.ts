import { canRun, Cluster } from "../clusters/cluster.ts"
import type { Observation, ObservedComponent } from "../diagnosis/observation.ts"
import { observe } from "../diagnosis/observe.ts"
import { isUnwell } from "../diagnosis/symptom.ts"
import { specOf } from "../components/registry.ts"
import { knownFiles } from "../components/settings/files.ts"
import type { Machine } from "../machines/machine.ts"

/**
 * Observes a running cluster, for `byhand status` and `byhand doctor`.
 * @param isEmpty whether it was started empty, so that no component is expected to run
 */
export function lookAt(machine: Machine, isEmpty: boolean): Promise<Observation> {
  const known = new Cluster({ machine, images: undefined, patience: 0 }).known()
  return observe(machine, {
    known: known.map((one) => ({ ...one, isMeantToBe: !isEmpty && canRun(one.name, machine) })),
  })
}

/** Whether a component runs, reports that it is healthy, and listens on its port itself. */
export function isReady(component: ObservedComponent, { files, listeners }: Observation): boolean {
  if (component.state !== "running" || isUnwell(component)) return false
  const { address } = specOf(component.name).settings(component, knownFiles(files))
  return (
    address === undefined ||
    listeners.some(({ local, pid }) => pid === component.pid && local.endsWith(`:${address.port}`))
  )
}

import { z } from "zod"
import type { ComponentName } from "../components/registry.ts"
import { nowOf } from "./facts.ts"
import type { ApiObject, Observation } from "./observation.ts"
import { AT_ONCE, componentOf, flagOf, symptom, type Symptom } from "./symptom.ts"

/** Milliseconds: a lease that runs out within this time is awaited. */
const LATE = 30_000

const lease = z.object({
  spec: z.object({
    holderIdentity: z.string().nullish(),
    renewTime: z.string().nullish(),
    leaseDurationSeconds: z.number().nullish(),
  }),
})

/** A component waits for the leadership of another one that does not run on this machine. */
export function withoutLeadership(name: ComponentName, id: string): Symptom {
  return symptom({
    id,
    component: name,
    lasting: (seen) => (expiresLate(seen, leaseOf(seen, name)) ? AT_ONCE : undefined),
    sign: (seen) => {
      const one = componentOf(seen, name)
      const holder = lease.safeParse(leaseOf(seen, name)).data?.spec.holderIdentity ?? ""
      if (
        seen.failure === undefined ||
        one?.state !== "running" ||
        flagOf(one, "--leader-elect") === "false" ||
        holder === "" ||
        holder.startsWith(`${seen.hostname}_`)
      )
        return undefined
      return { evidence: `lease kube-system/${name}: holderIdentity: ${holder}`, holder }
    },
    cause: ({ holder }) =>
      `${name} stands by, because the lease names ${holder} as the leader, and no ${name} on this machine has that name`,
    remedy: `If the leader is dead, wait until its lease runs out, or delete the lease: kubectl delete lease ${name} -n kube-system. If only one ${name} runs, it needs none: --leader-elect=false.`,
    look: `kubectl get lease ${name} -n kube-system -o yaml`,
  })
}

/** The lease by which the processes of a component elect a leader. */
function leaseOf(seen: Observation, name: ComponentName): ApiObject | undefined {
  return seen.api?.leases?.find(({ metadata }) => metadata.name === name && metadata.namespace === "kube-system")
}

/** Whether the lease of another leader runs out only much later. */
function expiresLate(seen: Observation, object: ApiObject | undefined): boolean {
  const { data } = lease.safeParse(object)
  const now = nowOf(seen)?.getTime() ?? Number.NaN
  return Date.parse(data?.spec.renewTime ?? "") + (data?.spec.leaseDurationSeconds ?? 0) * 1000 - now > LATE
}

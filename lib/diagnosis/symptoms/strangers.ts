import { componentNames, type ComponentName } from "../../components/registry.ts"
import { portOf } from "../../clients/sockets.ts"
import { etcdAddressOf, foreignListener, notGenuine, valueOfAnother } from "../signs.ts"
import { componentOf, flagOf, symptom, type Symptom } from "../symptom.ts"

/** Processes in a component's place. The program that started the component saw them, so nothing else explains more. */
export const impostors: readonly Symptom[] = componentNames.flatMap((name) => [
  foreignListener(name),
  notGenuine(name),
  valueOfAnother(name),
])

/** Processes that the lessons did not start and that interfere. The component's own words explain more. */
export const strangers: readonly Symptom[] = [
  symptom({
    id: "stranger-on-the-port",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      const port = portOf(etcdAddressOf(seen))
      const other = seen.listeners.find(({ local, pid }) => portOf(local) === port && pid !== one?.pid)
      return one?.state !== "running" || other === undefined
        ? undefined
        : {
            evidence: `ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
            program: other.program,
            pid: String(other.pid),
            address: other.local,
          }
    },
    cause: ({ program, pid, address }) =>
      `${program} (pid ${pid}) listens on ${address}, etcd's port on another address: clients of that address do not reach etcd`,
    remedy: ({ pid }) => `Stop that process: kill ${pid}`,
    look: "ss -tlnp",
  }),
  symptom({
    id: "stranger-at-etcd",
    component: "etcd",
    sign: (seen) => {
      const port = portOf(etcdAddressOf(seen))
      // A component can have another name than its program.
      const own = ["etcd", "kube-apiserver"] as const
      const pids = own.map((name) => componentOf(seen, name)?.pid)
      const other = seen.connections.find(
        ({ peer, program, pid }) =>
          portOf(peer) === port && !own.some((name) => name === program) && !pids.includes(pid),
      )
      return seen.failure === undefined || other === undefined
        ? undefined
        : {
            evidence: `ss -tnp: ${other.local} to ${other.peer} ${other.program},pid=${other.pid}`,
            program: other.program,
            pid: String(other.pid),
          }
    },
    cause: ({ program, pid }) =>
      `${program} (pid ${pid}) is connected to etcd, as kube-apiserver is: it can read and change every object`,
    remedy: ({ pid }) => `Stop that process: kill ${pid}. Only kube-apiserver should talk to etcd.`,
    look: (_, seen) => `ss -tnp dport = :${portOf(etcdAddressOf(seen))}`,
  }),
  second("kube-scheduler", "second-scheduler", "binds Pods too"),
  second("kube-controller-manager", "second-controller-manager", "does the same work"),
]

/**
 * Another process of a component runs, and is not a standby that waits for a lease.
 * @param does what it does, as a clause
 */
function second(name: ComponentName, id: string, does: string): Symptom {
  return symptom({
    id,
    component: name,
    sign: (seen) => {
      const one = componentOf(seen, name)
      if (seen.failure === undefined || one === undefined || one.pid === 0) return undefined
      // If the cluster's own must not run, each one that runs is another one. The kernel keeps 15 characters of a name.
      const other = seen.listeners.find(
        ({ program, pid }) => program === name.slice(0, 15) && (pid !== one.pid || !one.isMeantToBe),
      )
      const isStandby = flagOf(one, "--leader-elect") !== "false" && one.isMeantToBe
      return other === undefined || isStandby
        ? undefined
        : {
            evidence: `ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
            pid: String(other.pid),
            address: other.local,
          }
    },
    cause: ({ pid, address }) => `another ${name} runs (pid ${pid}, on ${address}), and ${does}`,
    remedy: ({ pid }) => `Stop that one: kill ${pid}`,
    look: `ps -o pid,args -C ${name.slice(0, 15)}`,
  })
}

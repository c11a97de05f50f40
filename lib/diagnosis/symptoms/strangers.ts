import { componentNames } from "../../components/registry.ts"
import { addressOf } from "../signs.ts"
import { componentOf, flagOf, type Symptom } from "../symptom.ts"

/** Processes that took a component's place, as the one that started the component saw them. */
export const impostors: readonly Symptom[] = componentNames.flatMap((name) => [
  {
    id: "port-taken",
    component: name,
    sign: ({ failure }) =>
      failure?.kind !== "foreign-listener" || failure.name !== name || failure.holder === undefined
        ? undefined
        : {
            evidence: `${failure.holder.local} is held by ${failure.holder.program}, pid ${failure.holder.pid}`,
            names: [failure.holder.local, String(failure.holder.pid), String(failure.port)],
          },
    cause: "another process holds $1",
    remedy: `Stop that one (kill $2), or give ${name} another port.`,
    look: "ss -tlnp sport = :$3",
  },
  {
    id: "not-genuine",
    component: name,
    sign: ({ failure }) =>
      failure?.kind !== "not-genuine" || failure.name !== name
        ? undefined
        : { evidence: failure.evidence, names: [String(failure.pid)] },
    cause: `it is not the ${name} that the machine was given`,
    remedy: `Start ${name} from PATH.`,
    look: "ls -l /proc/$1/exe",
  },
])

/** Processes that nobody of the lessons has started, and that are in the way. What a component itself complains of explains more. */
export const strangers: readonly Symptom[] = [
  {
    id: "stranger-on-the-port",
    component: "etcd",
    sign: (seen) => {
      const one = componentOf(seen, "etcd")
      const port =
        addressOf(flagOf(one, "--listen-client-urls") ?? "")
          .split(":")
          .at(-1) ?? ""
      const other = seen.listeners.find(
        ({ local, pid }) => port !== "" && local.endsWith(`:${port}`) && pid !== one?.pid,
      )
      return one?.state !== "running" || other === undefined
        ? undefined
        : {
            evidence: `ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
            names: [other.program, String(other.pid), other.local],
          }
    },
    cause: "$1 (pid $2) listens on $3, the port that is etcd's on another address",
    remedy: "Stop that one (kill $2): who calls that address does not reach etcd.",
    look: "ss -tlnp",
  },
  {
    id: "stranger-at-etcd",
    component: "etcd",
    sign: (seen) => {
      const port =
        addressOf(flagOf(componentOf(seen, "etcd"), "--listen-client-urls") ?? "")
          .split(":")
          .at(-1) ?? ""
      const known = new Set(["etcd", "kube-apiserver"])
      const other = seen.connections.find(
        ({ peer, program }) => port !== "" && peer.endsWith(`:${port}`) && !known.has(program),
      )
      return seen.complaint === "" || other === undefined
        ? undefined
        : {
            evidence: `ss -tnp: ${other.local} to ${other.peer} ${other.program},pid=${other.pid}`,
            names: [other.program, String(other.pid)],
          }
    },
    cause: "$1 (pid $2) is connected to etcd, beside kube-apiserver: it may read and write whatever it likes",
    remedy: "Stop that one: kill $2. Only kube-apiserver should talk to etcd.",
    look: "ss -tnp dport = :2379",
  },
  {
    id: "second-scheduler",
    component: "kube-scheduler",
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      if (seen.complaint === "" || one === undefined || one.pid === 0) return undefined
      // Where ours is not meant to run, whichever runs is another.
      const other = seen.listeners.find(
        ({ program, pid }) => program === "kube-scheduler" && (pid !== one.pid || !one.isMeantToBe),
      )
      const isStandby = flagOf(one, "--leader-elect") !== "false" && one.isMeantToBe
      return other === undefined || isStandby
        ? undefined
        : {
            evidence: `ss -tlnp: ${other.local} kube-scheduler,pid=${other.pid}`,
            names: [String(other.pid), other.local],
          }
    },
    cause: "another kube-scheduler runs (pid $1, on $2), and binds Pods too",
    remedy: "Stop that one: kill $1.",
    look: "ps -o pid,args -C kube-scheduler",
  },
]

import { near } from "../base/nearest.ts"
import { specOf, type ComponentName } from "../components/registry.ts"
import { portOf } from "../clients/sockets.ts"
import { addressOf, dataDirOf, etcdUrlOf } from "./facts.ts"
import type { Observation } from "./observation.ts"
import {
  componentOf,
  logged,
  matched,
  mismatchOf,
  said,
  symptom,
  AT_ONCE,
  SOON,
  isUnwell,
  type Named,
  type Sign,
  type Symptom,
} from "./symptom.ts"

/** A component that SIGSTOP has frozen. */
export function frozen(name: ComponentName): Symptom {
  return symptom({
    id: "frozen",
    component: name,
    lasting: AT_ONCE,
    sign: (seen) => {
      const one = componentOf(seen, name)
      return one?.state === "stopped"
        ? { evidence: `${name}, pid ${one.pid}, is in state T (stopped)`, pid: String(one.pid) }
        : undefined
    },
    cause: ({ pid }) => `${name} is stopped by a signal (SIGSTOP): process ${pid} exists and does nothing`,
    remedy: ({ pid }) => `Let it continue: kill -CONT ${pid}`,
    look: `ps -o pid,stat,args -C ${name}`,
  })
}

/**
 * A component refuses a flag: one that an earlier version had, or one that it never had.
 * @param line its words; the group is the flag
 * @param advice what else the remedy for an unknown flag says
 */
export function refusedFlags(name: ComponentName, line: RegExp, advice = ""): Symptom[] {
  const flagIn = (seen: Observation) => {
    const shown = logged(name, line, "flag")(seen)
    return shown === undefined ? undefined : { evidence: shown.evidence, flag: `--${shown.flag.replace(/^-+/, "")}` }
  }
  // A supervisor of the learner starts it again and again, with the same flag.
  const lasting = (seen: Observation) => {
    const one = componentOf(seen, name)
    return one !== undefined && isUnwell(one) ? SOON : undefined
  }
  return [
    symptom({
      id: "removed-flag",
      component: name,
      lasting,
      sign: (seen) => {
        const shown = flagIn(seen)
        const row = shown === undefined ? undefined : specOf(name).removedFlag?.(shown.flag)
        return shown === undefined || row === undefined
          ? undefined
          : { ...shown, since: row.since, instead: row.instead }
      },
      cause: ({ flag, since }) => `${name} no longer has the flag ${flag}: it was removed in ${since}`,
      remedy: ({ instead }) => instead,
      look: `${name} --help`,
    }),
    symptom({
      id: "unknown-flag",
      component: name,
      lasting,
      sign: (seen) => {
        const shown = flagIn(seen)
        if (shown === undefined) return undefined
        const known = [...(seen.looks[`${name} --help`] ?? "").matchAll(/--[\w-]+/g)].map(([flag]) => flag)
        const nearest = near(shown.flag, known)
        return {
          ...shown,
          advice:
            nearest === undefined
              ? `Leave it out, or look for its name in ${specOf(name).program} --help.`
              : `The nearest flag that it knows is ${nearest}.`,
        }
      },
      cause: ({ flag }) => `${name} does not know the flag ${flag}`,
      remedy: ({ advice: known }) => `${known}${advice === "" ? "" : ` ${advice}`}`,
      look: `${name} --help`,
    }),
  ]
}

/** A component could not listen on an address. @param line its words; the group is the address */
export function portTaken(name: ComponentName, line: RegExp, instead: string): Symptom {
  // A process that was started beside the component has its log in the failure.
  const besideIn = ({ failure }: Observation) =>
    failure?.kind === "component-exited" && failure.name === name
      ? matched(failure.log.toReversed(), line, "address")
      : undefined
  const shownIn = (seen: Observation) => logged(name, line, "address")(seen) ?? besideIn(seen)
  const holderIn = (seen: Observation, address: string) => {
    const holder = seen.listeners.find(({ local }) => portOf(local) === portOf(address))
    const isItself = logged(name, line)(seen) !== undefined && holder?.pid === componentOf(seen, name)?.pid
    return isItself ? undefined : holder
  }
  return symptom({
    id: "port-taken",
    component: name,
    lasting: (seen) => (holderIn(seen, shownIn(seen)?.address ?? "") === undefined ? undefined : AT_ONCE),
    sign: (seen) => {
      const shown = shownIn(seen)
      if (shown === undefined) return undefined
      const { address, evidence } = shown
      const holder = holderIn(seen, address)
      if (holder === undefined)
        return { evidence, address, holder: "a process that has ended since", remedy: `Start ${name} again` }
      const isOlder = holder.program === specOf(name).program
      return {
        evidence: `${evidence.slice(-200)} (ss -tlnp: ${holder.local} ${holder.program},pid=${holder.pid})`,
        address,
        holder: `${isOlder ? "an older " : ""}${holder.program} (pid ${holder.pid})`,
        remedy: isOlder
          ? `End that process first, and wait until it has ended (kill ${holder.pid})`
          : `Stop that process (kill ${holder.pid})`,
      }
    },
    cause: ({ address, holder }) => `${name} cannot listen on ${address}: ${holder} holds it`,
    remedy: ({ remedy }) => `${remedy}, or ${instead}.`,
    look: "ss -tlnp",
  })
}

/** A component's port is held by another process: the program that started the component saw it. */
export function foreignListener(name: ComponentName): Symptom {
  return symptom({
    id: "port-taken",
    component: name,
    sign: ({ failure }) =>
      failure?.kind !== "foreign-listener" || failure.name !== name || failure.holder === undefined
        ? undefined
        : {
            evidence: `${failure.holder.local} is held by ${failure.holder.program}, pid ${failure.holder.pid}`,
            address: failure.holder.local,
            pid: String(failure.holder.pid),
            port: String(failure.port),
          },
    cause: ({ address }) => `another process holds ${address}`,
    remedy: ({ pid }) => `Stop that process (kill ${pid}), or give ${name} another port.`,
    look: ({ port }) => `ss -tlnp sport = :${port}`,
  })
}

/** A process has the component's name, and another program. */
export function notGenuine(name: ComponentName): Symptom {
  return symptom({
    id: "not-genuine",
    component: name,
    sign: ({ failure }) =>
      failure?.kind !== "not-genuine" || failure.name !== name
        ? undefined
        : { evidence: failure.evidence, pid: String(failure.pid) },
    cause: `it is not the ${name} that the machine was given`,
    remedy: `Start ${name} from PATH.`,
    look: ({ pid }) => `ls -l /proc/${pid}/exe`,
  })
}

/** A component has a value of another student, or the usual one. */
export function valueOfAnother(name: ComponentName): Symptom {
  return symptom({
    id: "value-of-another",
    component: name,
    sign: ({ failure }) =>
      failure?.kind !== "value-of-another" || failure.name !== name
        ? undefined
        : {
            evidence: `${name}: ${failure.flag} ${failure.actual === "" ? "is not given" : failure.actual}`,
            student: failure.student,
            flag: failure.flag,
            expected: failure.expected,
          },
    cause: ({ student, flag, expected }) =>
      `each student has values of their own, and ${flag} of ${student} is ${expected}`,
    remedy: ({ flag, expected }) =>
      `Write ${flag}=${expected}, and the same wherever else it is named. README.md of the folder lists your values.`,
    look: ({ flag }) => `grep -n -e ${flag} *.sh; ps -o args= -C ${name}`,
  })
}

/** Where the log of a component's earlier starts is kept. */
export function earlierLog(logPath: string): string {
  return logPath.replace(/\.log$/, ".before.log")
}

/**
 * An object or key is missing, and etcd's last start began with an empty folder although etcd had been started before.
 */
export const freshAfterLoss: Sign<Named<"dataDir">> = (seen) => {
  const one = componentOf(seen, "etcd")
  const began = one?.log.find((line) => /"msg":"starting local member"/.test(line))
  const before = one === undefined ? "" : (seen.looks[`wc -c <${earlierLog(one.logPath)}`] ?? "")
  const isFirst = one?.hasRunBefore !== true && !/^[1-9]/.test(before)
  if (one === undefined || began === undefined || isFirst) return undefined
  return isMissing(seen) ? { evidence: began, dataDir: dataDirOf(seen) } : undefined
}

/** Whether what failed is that something was not there. */
function isMissing(seen: Observation): boolean {
  const mismatch = mismatchOf(seen)
  const isNothing = mismatch !== undefined && (mismatch.actual === undefined || mismatch.actual === "")
  return isNothing || said(/NotFound|not found/)(seen) !== undefined
}

/** host:port on which etcd should serve clients. */
export function etcdAddressOf(seen: Observation): string {
  return addressOf(etcdUrlOf(seen))
}

/**
 * A component that should run and has no process, where its own start is not what failed.
 * @returns the last line of its log
 */
export function vanished(seen: Observation, name: ComponentName): string | undefined {
  const one = componentOf(seen, name)
  const { failure } = seen
  if (one?.state !== "absent" || !one.isMeantToBe) return undefined
  if (failure !== undefined && "log" in failure && failure.name === name) return undefined
  return one.log.at(-1)?.slice(0, 300) || `there is no process ${name}`
}

import type { ComponentName } from "../components/component.ts"
import { nearest } from "../base/nearest.ts"
import type { Observation } from "./observation.ts"
import { removed } from "./removed-flags.ts"
import { componentOf, flagOf, logged, type Shown, type Sign } from "./symptom.ts"

/** A component that SIGSTOP has frozen; $1 is its process's number. */
export function frozen(name: ComponentName): Sign {
  return (seen) => {
    const one = componentOf(seen, name)
    return one?.state === "stopped"
      ? { evidence: `${name}, pid ${one.pid}, is in state T (stopped)`, names: [String(one.pid)] }
      : undefined
  }
}

/** It says that it does not know a flag which an earlier version had: $1 the flag, $2 the version that has it no longer, $3 what to do instead. */
export function goneFlag(name: ComponentName, line: RegExp): Sign {
  return (seen) => {
    const shown = logged(name, line)(seen)
    const flag = `--${shown?.names?.[0]?.replace(/^-+/, "") ?? ""}`
    const row = removed(name, flag)
    return shown === undefined || row === undefined
      ? undefined
      : { evidence: shown.evidence, names: [flag, row.since, row.instead] }
  }
}

/** It says that it does not know a flag: $1 the flag, $2 the nearest of those that its own --help names. */
export function unknownFlag(name: ComponentName, line: RegExp): Sign {
  return (seen) => {
    const shown = logged(name, line)(seen)
    if (shown === undefined) return undefined
    const flag = `--${shown.names?.[0]?.replace(/^-+/, "") ?? ""}`
    const known = [...(seen.looks.get(`${name} --help`) ?? "").matchAll(/^\s+(?:-\w, )?(--[\w-]+)/gm)].map(
      ([, one = ""]) => one,
    )
    return {
      evidence: shown.evidence,
      names: [flag, known.length === 0 ? "named by its --help" : nearest(flag, known)],
    }
  }
}

/** It could not take an address: $1 the address, $2 the program that holds it and $3 that one's process. */
export function holderOf(name: ComponentName, line: RegExp): Sign {
  return (seen) => {
    const shown = logged(name, line)(seen)
    const address = shown?.names?.[0]
    if (shown === undefined || address === undefined) return undefined
    const holder = seen.listeners.find(
      ({ local, pid }) => portOf(local) === portOf(address) && pid !== componentOf(seen, name)?.pid,
    )
    return {
      evidence:
        holder === undefined
          ? shown.evidence
          : `${shown.evidence.slice(-200)} (ss -tlnp: ${holder.local} ${holder.program},pid=${holder.pid})`,
      names: [
        address,
        holder?.program ?? "one that has ended meanwhile",
        holder === undefined ? "gone" : String(holder.pid),
      ],
    }
  }
}

/** Something that etcd held is missing, and etcd's last start began with an empty folder although there had been an earlier start. */
export function freshAfterLoss(seen: Observation): Shown | undefined {
  const one = componentOf(seen, "etcd")
  const began = one?.log.find((line) => /"msg":"starting local member"/.test(line))
  if (
    one === undefined ||
    began === undefined ||
    !/^[1-9]/.test(seen.looks.get("wc -c </var/log/byhand/etcd.before.log") ?? "")
  )
    return undefined
  return /expected '' to be '\/|NotFound|not found|expected undefined/.test(seen.complaint)
    ? { evidence: began, names: [flagOf(one, "--data-dir") ?? "default.etcd"] }
    : undefined
}

/** Whether somebody listens there, or on all addresses. @param address host:port */
export function listens({ listeners }: Observation, address: string): boolean {
  const port = portOf(address)
  return listeners.some(
    ({ local }) =>
      local === address.replace("localhost", "127.0.0.1") ||
      local === `0.0.0.0:${port}` ||
      local === `*:${port}` ||
      local === `[::]:${port}`,
  )
}

/** host:port of the first of some URLs. */
export function addressOf(urls: string): string {
  return (urls.split(",")[0] ?? "").replace(/^\w+:\/\//, "").replace(/\/.*$/, "")
}

function portOf(address: string): string {
  return address.split(":").at(-1) ?? ""
}

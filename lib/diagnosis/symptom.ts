import type { ComponentName } from "../components/component.ts"
import { flagOf as flagIn } from "../components/settings/flags.ts"
import type { ApiObject, Observation, ObservedComponent } from "./observation.ts"

/** Something known that can go wrong. A row of the catalogue. */
export interface Symptom {
  /** What it is called, in kebab case: "etcd-port-taken". Several rows may share one: the same trouble shows in several ways. */
  readonly id: string
  /** The component that is unwell, or that is to be looked at. */
  readonly component: ComponentName
  readonly sign: Sign
  /** A clause that ends a sentence such as "kube-apiserver exited with 1: …"; $1, $2, … stand for what the sign names. */
  readonly cause: string
  /** What to do about it, as sentences; $1, $2, … as above. */
  readonly remedy: string
  /** What to type on the machine to look closer; $1, $2, … as above. */
  readonly look: string
}

/** Whether a sign shows: what gave it away, word for word, and what it names ($1, $2, …). */
export type Sign = (seen: Observation) => Shown | undefined

export interface Shown {
  readonly evidence: string
  readonly names?: readonly (string | undefined)[]
}

/** Whether a component should run and does not, or runs and is not well. */
export function isUnwell({ state, isMeantToBe, answer }: ObservedComponent): boolean {
  if (state === "absent") return isMeantToBe
  return state === "stopped" || answer?.isWell === false
}

export function componentOf({ components }: Observation, name: ComponentName): ObservedComponent | undefined {
  return components.find((component) => component.name === name)
}

/** What a flag on a component's command line is set to; undefined where it is not there. */
export function flagOf(component: ObservedComponent | undefined, flag: string): string | undefined {
  return component === undefined ? undefined : flagIn(component, flag)
}

/** A line in the log of a component that is not well. A line of one that is well is history. */
export function logged(name: ComponentName, line: RegExp): Sign {
  return (seen) => {
    const component = componentOf(seen, name)
    return component !== undefined && isUnwell(component) ? matched(component.log, line) : undefined
  }
}

/** A line in the log of a component, be it well or not: for what it goes on living with. The newest such line counts. */
export function complainedOf(name: ComponentName, line: RegExp): Sign {
  return (seen) => matched(componentOf(seen, name)?.log.toReversed() ?? [], line)
}

/** The text of what failed: a command's own words. */
export function said(words: RegExp): Sign {
  return ({ complaint }) => matched(complaint.split("\n"), words)
}

/** An event that the API holds, as "REASON: MESSAGE". */
export function event(words: RegExp): Sign {
  return ({ api }) =>
    matched(
      (api?.events ?? []).map((object) => `${textOf(object["reason"])}: ${textOf(object["message"])}`).toReversed(),
      words,
    )
}

/** Objects of the API of which something is true; $1 is the name of the first. */
export function object(
  kind: "nodes" | "pods" | "deployments" | "services" | "leases",
  tell: (object: ApiObject, seen: Observation) => string | undefined,
): Sign {
  return (seen) => {
    for (const candidate of seen.api?.[kind] ?? []) {
      const evidence = tell(candidate, seen)
      if (evidence !== undefined) return { evidence, names: [candidate.metadata.name] }
    }
    return undefined
  }
}

/** The first line that matches; what its groups caught are the names. */
export function matched(lines: readonly string[], pattern: RegExp): Shown | undefined {
  for (const line of lines) {
    const found = pattern.exec(line)
    if (found !== null) return { evidence: line.trim(), names: found.slice(1) }
  }
  return undefined
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

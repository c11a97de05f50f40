import { assertNever } from "../base/assert-never.ts"
import { LONGEST_LINE } from "../clients/log.ts"
import type { ComponentName } from "../components/registry.ts"
import { flagOf as flagIn } from "../components/settings/flags.ts"
import type { Failure, Mismatch, Plain } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import type { ApiObject, Observation, ObservedComponent } from "./observation.ts"

/** A known problem: how to recognize it and what to say about it. A row of the catalogue. */
export interface Symptom {
  /** In kebab case: "port-taken". Several rows may share one: the same problem shows in several ways. */
  readonly id: string
  /** The component that has the problem; undefined where the problem is the machine's. */
  readonly component: ComponentName | undefined
  /** The finding, filled with the facts of the observed cluster; undefined where the problem is not there. */
  readonly find: (seen: Observation) => Finding | undefined
  /** See Lasting. */
  readonly lasting: Lasting | undefined
}

/**
 * How long the problem must be seen before it ends a wait (milliseconds), because no time heals it: a person must act.
 * undefined where the cluster may still recover by itself, which is what a row without this field says. A wait needs
 * two looks that agree in any case.
 */
type Lasting = number | ((seen: Observation) => number | undefined)

/** Lasting: two looks that agree are enough. */
export const AT_ONCE = 1_000
/** Lasting: a script of the learner may still be about to write a file or to start another process. */
export const SOON = 3_000
/** Lasting: a supervisor of the learner may start the process again. */
export const UNLESS_RESTARTED = 6_000

/** What a sign shows. */
type FactsOf<S extends (seen: Observation) => unknown> = NonNullable<ReturnType<S>>

/** The evidence, word for word, and the facts that the texts name. Each is a text. */
type Shown<Facts> = { readonly [fact in keyof Facts]: string } & { readonly evidence: string }

/** Evidence and the facts of these names. */
export type Named<Names extends string> = { readonly [name in Names | "evidence"]: string }

/** Recognizes a problem; undefined where it is not there. */
export type Sign<Facts = Named<never>> = (seen: Observation) => Facts | undefined

/** A text, or a function that builds it from the facts and the observation. */
type Text<Facts> = string | ((facts: Facts, seen: Observation) => string)

interface Row<S extends (seen: Observation) => unknown, Facts = FactsOf<S>> {
  readonly id: string
  readonly component: ComponentName | undefined
  readonly sign: S
  /** A clause that can end a sentence such as "kube-apiserver exited with 1: …". */
  readonly cause: Text<Facts>
  /** What to do about it, as sentences or as a command. */
  readonly remedy: Text<Facts>
  /** A command that shows it on the machine. */
  readonly look: Text<Facts>
  /** See Lasting. */
  readonly lasting?: Lasting
}

/** A row of the catalogue. A text that names a fact which its sign does not tell is a type error. */
export function symptom<S extends (seen: Observation) => object | undefined>(
  row: Row<S> & { readonly sign: Sign<Shown<FactsOf<S>>> },
): Symptom {
  const { id, component, sign, cause, remedy, look, lasting } = row
  return {
    id,
    component,
    lasting,
    find: (seen) => {
      const shown = sign(seen)
      if (shown === undefined) return undefined
      const facts = complete(shown as FactsOf<S> & Shown<FactsOf<S>>) // The sign's own type says both.
      const filled = (text: Text<FactsOf<S>>) => (typeof text === "string" ? text : text(facts, seen))
      return {
        id,
        component,
        cause: filled(cause),
        remedy: filled(remedy),
        look: filled(look),
        evidence: facts.evidence,
      }
    },
  }
}

/** The facts with a word in place of each empty one: no text has a gap. */
function complete<Facts extends object>(facts: Facts): Facts {
  return Object.fromEntries(
    Object.entries(facts as Record<string, string>).map(([name, fact]) => [
      name,
      fact.trim() === "" ? "(empty)" : fact,
    ]),
  ) as Facts // The names are the same.
}

/** Whether a component should run and does not, or runs and is not well. */
export function isUnwell({ state, isMeantToBe, answer }: ObservedComponent): boolean {
  if (state === "absent") return isMeantToBe
  return state === "stopped" || answer?.isWell === false
}

export function componentOf(
  { components }: Pick<Observation, "components">,
  name: ComponentName,
): ObservedComponent | undefined {
  return components.find((component) => component.name === name)
}

/**
 * The value of a flag on a component's command line; undefined where the flag is not there, or has an empty value: then
 * the component does as if it were not there.
 */
export function flagOf(component: ObservedComponent | undefined, flag: string): string | undefined {
  if (component === undefined) return undefined
  const value = flagIn(component, flag)
  return value === "" && component.argv.some((word) => word.endsWith(`${flag.replace(/^--/, "")}=`)) ? undefined : value
}

/**
 * The first line that matches.
 * @param names what its groups caught, in order; of several groups with the same name the one that caught something
 * counts
 * @returns undefined where no line matches, or a group that is named caught nothing
 */
export function matched<Names extends string = never>(
  lines: readonly string[],
  pattern: RegExp,
  ...names: readonly Names[]
): Named<Names> | undefined {
  for (const whole of lines) {
    const line = whole.slice(0, LONGEST_LINE)
    const found = pattern.exec(line)
    if (found === null) continue
    const facts = new Map<string, string>([["evidence", line.trim()]])
    for (const [at, name] of names.entries()) {
      const group = found[at + 1]
      if (group !== undefined && !facts.has(name)) facts.set(name, group)
    }
    // Each name has a fact.
    if (names.every((name) => facts.has(name))) return Object.fromEntries(facts) as Named<Names>
  }
  return undefined
}

/** A line in the log of a component that is not well. A line of a component that is well is history. */
export function logged<Names extends string = never>(
  name: ComponentName,
  line: RegExp,
  ...names: readonly Names[]
): Sign<Named<Names>> {
  return (seen) => {
    const component = componentOf(seen, name)
    return component !== undefined && isUnwell(component) ? matched(component.log, line, ...names) : undefined
  }
}

/** The newest line in the log of a component, whether it is well or not: for problems that it survives. */
export function complainedOf<Names extends string = never>(
  name: ComponentName,
  line: RegExp,
  ...names: readonly Names[]
): Sign<Named<Names>> {
  return (seen) => matched(componentOf(seen, name)?.log.toReversed() ?? [], line, ...names)
}

/** Lines that the programs of the cluster printed or answered, as far as a failure holds them. None of them is ours. */
function words(failure: Failure): readonly string[] {
  switch (failure.kind) {
    case "command-failed":
      return [...failure.stderr.split("\n"), ...failure.stdout.split("\n")]
    case "mismatch": {
      const actual = typeof failure.actual === "string" ? failure.actual.split("\n") : []
      return [...actual, ...(failure.cause === undefined ? [] : words(failure.cause))]
    }
    case "not-ready":
      return kubectlIn(failure.answer ?? "")
    case "component-exited":
    case "foreign-listener":
    case "not-genuine":
    case "value-of-another":
    case "not-running":
    case "not-started":
    case "script-ended":
    case "script-runs-on":
      return [] // Its log is observed, and belongs to one component.
    case "hung":
      return failure.printed.split("\n")
    case "no-access":
      return failure.tried.map(({ answer }) => answer)
    case "etcd-refused":
      return [failure.answer]
    case "machine-refused":
      return [failure.answer]
    case "undecodable":
      return [failure.begins]
    case "thrown":
      return failure.name === "AssertionError" ? [] : failure.message.split("\n")
    case "machine-ended":
    case "programs-replaced":
    case "disk-full":
    case "no-answer":
      return []
    default:
      return assertNever(failure)
  }
}

/**
 * What kubectl said with each kubeconfig, where a readiness probe needs one: the answer lists them in parentheses. Its log
 * is observed, and belongs to one component.
 */
function kubectlIn(answer: string): readonly string[] {
  return /\((\/\S+: .*)\)/s.exec(answer)?.[1]?.split(/; (?=\/)/) ?? []
}

/** A line that a program printed or answered when it failed: kubectl, etcdctl, curl, etcd. */
export function said<Names extends string = never>(pattern: RegExp, ...names: readonly Names[]): Sign<Named<Names>> {
  return ({ failure }) => (failure === undefined ? undefined : matched(words(failure), pattern, ...names))
}

/** The failure as a mismatch of values; undefined where it is of another kind. */
export function mismatchOf({ failure }: Observation): Mismatch | undefined {
  return failure?.kind === "mismatch" ? failure : undefined
}

/** Whether a value, or a part of it, is a text that holds this one. */
export function holds(value: Plain | undefined, text: string): boolean {
  if (typeof value === "string") return value.includes(text)
  if (typeof value !== "object" || value === null) return false
  return Object.values(value).some((part: Plain) => holds(part, text))
}

/** Whether the failure is a component's own: its start failed, or it was needed and does not run. */
export function concerns({ failure }: Observation, name: ComponentName): boolean {
  return failure !== undefined && "log" in failure && failure.name === name
}

/** An event that the API holds, as "REASON: MESSAGE"; the newest counts. */
export function event<Names extends string = never>(pattern: RegExp, ...names: readonly Names[]): Sign<Named<Names>> {
  return ({ api }) =>
    matched(
      (api?.events ?? []).map((object) => `${textOf(object["reason"])}: ${textOf(object["message"])}`).toReversed(),
      pattern,
      ...names,
    )
}

/** The first object of the API of which something is true; the fact `object` is its name. */
export function object(
  kind: "nodes" | "pods" | "deployments" | "services" | "leases" | "certificateSigningRequests",
  tell: (object: ApiObject, seen: Observation) => string | undefined,
): Sign<Named<"object">> {
  return (seen) => {
    for (const candidate of seen.api?.[kind] ?? []) {
      const evidence = tell(candidate, seen)
      if (evidence !== undefined) return { evidence, object: candidate.metadata.name }
    }
    return undefined
  }
}

/** The first thing of which something can be shown. */
export function first<T, Facts>(things: readonly T[], show: (thing: T) => Facts | undefined): Facts | undefined {
  for (const thing of things) {
    const shown = show(thing)
    if (shown !== undefined) return shown
  }
  return undefined
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : ""
}

import { z } from "zod"
import type { ApiObject, Observation } from "./observation.ts"
import { nowOf, remembered } from "./facts.ts"
import { first, matched, type Named, type Sign } from "./symptom.ts"

const ended = z.object({ exitCode: z.number(), reason: z.string().default(""), message: z.string().default("") })
const state = z
  .object({
    running: z.object({ startedAt: z.string().default("") }).optional(),
    waiting: z.object({ reason: z.string().default(""), message: z.string().default("") }).optional(),
    terminated: ended.optional(),
  })
  .default({})
const pod = z.object({
  spec: z.object({
    nodeName: z.string().default(""),
    containers: z.array(
      z.object({ name: z.string(), image: z.string().default(""), command: z.array(z.string()).default([]) }),
    ),
  }),
  status: z.object({
    phase: z.string().default(""),
    containerStatuses: z
      .array(z.object({ name: z.string(), restartCount: z.number().default(0), state, lastState: state }))
      .default([]),
  }),
})

const placed = z.object({ spec: z.object({ nodeName: z.string().default("") }) })

/** A container of a Pod, as the API tells of it. */
export interface Container {
  readonly pod: string
  /** The UID of the Pod: another Pod may have had the same name. */
  readonly podUid: string
  readonly namespace: string
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly restarts: number
  readonly isRunning: boolean
  /** Whether it runs since a moment ago. */
  readonly isNew: boolean
  readonly waiting: { readonly reason: string; readonly message: string } | undefined
  /** How it ended: now, or the time before. */
  readonly ended: z.infer<typeof ended> | undefined
}

/** Milliseconds; what crashes again and again seldom lives longer. */
const MOMENT = 5_000

/** Every container of every Pod that has a Node and is not being deleted. */
export const containers = remembered((seen): Container[] => {
  const now = nowOf(seen)?.getTime() ?? Number.NaN
  return (seen.api?.pods ?? []).flatMap((object) => {
    const { data } = pod.safeParse(object)
    if (data === undefined || data.spec.nodeName === "" || object.metadata.deletionTimestamp !== undefined) return []
    return data.spec.containers.map(({ name, image, command }) => {
      const status = data.status.containerStatuses.find((one) => one.name === name)
      return {
        pod: object.metadata.name,
        podUid: object.metadata.uid ?? "",
        namespace: object.metadata.namespace ?? "default",
        name,
        image,
        command,
        restarts: status?.restartCount ?? 0,
        isRunning: status?.state.running !== undefined,
        isNew: now - Date.parse(status?.state.running?.startedAt ?? "") < MOMENT,
        waiting: status?.state.waiting,
        ended: status?.state.terminated ?? status?.lastState.terminated,
      }
    })
  })
})

/** The name of the first Pod that has no Node. */
export function unscheduled({ api }: Observation): string | undefined {
  return api?.pods?.find((object) => (placed.safeParse(object).data?.spec.nodeName ?? "") === "")?.metadata.name
}

/** The facts of a Pod's container, besides what a pattern caught. */
type OfPod<Names extends string> = Named<Names | "pod">

/** What a container that does not run waits for, as "REASON: MESSAGE". */
export function waits<Names extends string = never>(pattern: RegExp, ...names: readonly Names[]): Sign<OfPod<Names>> {
  return (seen) =>
    first(containers(seen), ({ pod, waiting }) => {
      const lines = waiting === undefined ? [] : [`${waiting.reason}: ${waiting.message}`]
      return ofPod(pod, matched(lines, pattern, ...names))
    })
}

/**
 * The newest event about a Pod whose containers do not run, as "REASON: MESSAGE"; an event of a Pod that runs by now is
 * history.
 */
export function stuck<Names extends string = never>(pattern: RegExp, ...names: readonly Names[]): Sign<OfPod<Names>> {
  return (seen) =>
    first(
      containers(seen).filter(({ isRunning }) => !isRunning),
      ({ pod }) => ofPod(pod, eventOf(seen, pod, pattern, ...names)),
    )
}

/** The newest event about a Pod that matches. */
export function eventOf<Names extends string = never>(
  seen: Observation,
  pod: string,
  pattern: RegExp,
  ...names: readonly Names[]
): Named<Names> | undefined {
  return matched(
    eventsOf(seen, pod).map(({ text }) => text),
    pattern,
    ...names,
  )
}

/** The same facts, and the Pod's name. */
export function ofPod<Names extends string>(pod: string, shown: Named<Names> | undefined): OfPod<Names> | undefined {
  // Spreading loses the names of a generic type.
  return shown === undefined ? undefined : ({ ...shown, pod } as OfPod<Names>)
}

const event = z.object({
  involvedObject: z
    .object({ name: z.string().default(""), uid: z.string().default("") })
    .default({ name: "", uid: "" }),
  reason: z.string().nullish(),
  message: z.string().nullish(),
  lastTimestamp: z.string().nullish(),
})

/** The events about an object of this name, the newest first. */
export function eventsOf({ api }: Observation, name: string): { text: string; uid: string }[] {
  return (api?.events ?? [])
    .flatMap((object) => event.safeParse(object).data ?? [])
    .filter(({ involvedObject }) => involvedObject.name === name)
    .toSorted((one, other) => (other.lastTimestamp ?? "").localeCompare(one.lastTimestamp ?? ""))
    .map(({ reason, message, involvedObject }) => ({
      text: `${reason ?? ""}: ${message ?? ""}`,
      uid: involvedObject.uid,
    }))
}

/** The look at the last lines of every container's log. */
export const LOGS = "tail -v -n 3 /var/log/pods/*/*/*.log"

/**
 * The last lines that a container wrote, as the kubelet keeps them; of its newest start, where it has written at all.
 */
export function lastWords({ looks }: Observation, { pod, podUid, namespace, name }: Container): string {
  const text = looks[LOGS] ?? ""
  // "==> /var/log/pods/NAMESPACE_POD_UID/CONTAINER/START.log <==", then lines of "TIME STREAM F TEXT".
  const sections = text
    .split(/^==> /m)
    .filter(
      (section) => section.startsWith(`/var/log/pods/${namespace}_${pod}_${podUid}`) && section.includes(`/${name}/`),
    )
  return (
    sections
      .map((section) =>
        section
          .split("\n")
          .slice(1)
          .flatMap((line) => /^\S+ std\w+ [FP] (.+)$/.exec(line)?.[1] ?? [])
          .join(" | "),
      )
      .findLast((words) => words !== "") ?? ""
  )
}

/** A container that does not run, or waits for its next start, after it ended in this way. */
export function died(
  how: (ended: NonNullable<Container["ended"]>, words: string, container: Container) => boolean,
): Sign<OfPod<"restarts" | "exitCode" | "words">> {
  // Where nothing has failed, a container that has just started again is looked at between two crashes.
  return (seen) =>
    first(
      containers(seen).filter(
        ({ isRunning, isNew, restarts }) => restarts > 0 && (!isRunning || (isNew && seen.failure === undefined)),
      ),
      (container) => {
        const { pod, name, ended, restarts } = container
        const words = lastWords(seen, container)
        if (ended === undefined || !how(ended, words, container)) return undefined
        // A program that could not start has no log. Then the runtime says why.
        const told = words === "" ? (ended.message.trim().split("\n").at(-1) ?? "") : words
        return {
          evidence: `${pod}/${name}: exit code ${ended.exitCode}, ${ended.reason}${told === "" ? "" : `: ${told}`}`,
          pod,
          restarts: String(restarts),
          exitCode: String(ended.exitCode),
          words: told === "" ? "(none)" : told,
        }
      },
    )
}

const node = z.object({
  spec: z
    .object({ taints: z.array(z.object({ key: z.string(), effect: z.string() })).default([]) })
    .default({ taints: [] }),
  status: z
    .object({
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().default("") }))
        .default([]),
    })
    .default({ conditions: [] }),
})

/** What the API tells of a Node: its taints, and what its kubelet says of itself. */
export function nodeOf(object: ApiObject): {
  readonly taints: readonly string[]
  readonly ready: { readonly status: string; readonly message: string } | undefined
  /** The conditions of pressure that are true. */
  readonly pressures: readonly { readonly type: string; readonly message: string }[]
} {
  const { data } = node.safeParse(object)
  return {
    taints: data?.spec.taints.map(({ key, effect }) => `${key}:${effect}`) ?? [],
    ready: data?.status.conditions.find(({ type }) => type === "Ready"),
    pressures:
      data?.status.conditions.filter(({ type, status }) => type.endsWith("Pressure") && status === "True") ?? [],
  }
}

import type { ComponentName } from "../components/registry.ts"
import type { RunEvent } from "../report/events.ts"
import { closingLine, type RunResult } from "../report/result.ts"

/** An event, and when it arrived (milliseconds since the epoch). */
export interface Stamped {
  readonly at: number
  readonly event: RunEvent
}

/** A component that ended, and its return. */
interface Outage {
  readonly component: ComponentName
  readonly pid: number
  readonly signal: string | undefined
  readonly code: number | undefined
  readonly at: number
  /** undefined if it did not come back. */
  readonly back: { readonly pid: number; readonly at: number; readonly startup: number } | undefined
}

/** The outages of an outcome, with what the outcome saw. */
interface Story {
  readonly lesson: string
  readonly title: string
  readonly outages: readonly Outage[]
}

/**
 * The note on what was killed and restarted, what happened and how long it took: Markdown, from the events of the run.
 * @param words the learner's own words, as Markdown; undefined if there are none
 */
export function noteOf(events: readonly Stamped[], result: RunResult, words: string | undefined): string {
  const stories = storiesOf(events)
  const lessons = result.lessons.filter(({ id }) => stories.some(({ lesson }) => lesson === id))
  return [
    "# What was killed, and what came back",
    "",
    `Kubernetes ${result.kubernetes}. All lessons together: ${closingLine(result)}. Each sentence is from the events of that run; times are those of the student's host.`,
    "",
    ...(lessons.length === 0 ? ["Nothing was killed: no lesson that does so was reached.", ""] : []),
    ...lessons.flatMap(({ id, title, tests }) => [
      `## Lesson ${id}: ${title}`,
      "",
      ...stories
        .filter(({ lesson }) => lesson === id)
        .flatMap((story) => {
          const outcome = tests.find((test) => test.title === story.title)
          return [
            [
              `**${sentenceCase(story.title)}.**`,
              ...story.outages.map(sentenceOn),
              ...(outcome?.evidence == null ? [] : [`What was seen: ${outcome.evidence}.`]),
              ...(outcome === undefined
                ? []
                : [`The outcome ${verdictOf(outcome.verdict)} after ${seconds(outcome.milliseconds)}.`]),
            ].join(" "),
            "",
          ]
        }),
    ]),
    "## In your own words",
    "",
    words ?? "(Nothing was written. Put your words into words.md in your folder, and submit again.)",
    "",
  ].join("\n")
}

/** The outages of each outcome, in order. A component can come back in a later outcome. */
function storiesOf(events: readonly Stamped[]): Story[] {
  const stories: { lesson: string; title: string; outages: Outage[] }[] = []
  for (const [index, { at, event }] of events.entries()) {
    if (event.type !== "component exited") continue
    const { component, pid, exit, lesson, title } = event
    const outage: Outage = {
      component,
      pid,
      at,
      signal: exit?.signal ?? undefined,
      code: exit?.code ?? undefined,
      back: returnOf(component, events.slice(index + 1)),
    }
    const last = stories.find((story) => story.lesson === lesson && story.title === title)
    if (last === undefined) stories.push({ lesson, title, outages: [outage] })
    else last.outages.push(outage)
  }
  return stories
}

/** When a component was ready again; undefined if it ended again before that, or never came back. */
function returnOf(component: ComponentName, later: readonly Stamped[]): Outage["back"] {
  for (const { at, event } of later) {
    if (!("component" in event) || event.component !== component) continue
    if (event.type === "component exited") return undefined
    if (event.type === "component ready") return { pid: event.pid, at, startup: event.milliseconds }
  }
  return undefined
}

function sentenceOn({ component, pid, signal, code, at, back }: Outage): string {
  const how =
    signal === undefined ? (code === undefined ? "ended" : `ended with status ${code}`) : `was ended by ${signal}`
  const end = `${component} (process ${pid}) ${how} at ${clock(at)}`
  if (back === undefined) return `${end}, and was not seen ready again.`
  return `${end}. It was started again as process ${back.pid}, which was ready ${seconds(back.startup)} after its start: ${seconds(back.at - at)} after the first one had ended.`
}

function verdictOf(verdict: string): string {
  return verdict === "passed" ? "passed" : verdict === "failed" ? "failed" : `was ${verdict}`
}

/** The title with a capital letter, unless it begins with the name of a program. */
function sentenceCase(title: string): string {
  return /^(?:etcd|kube)/.test(title) ? title : title.charAt(0).toUpperCase() + title.slice(1)
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** Such as 14:02:07, in UTC. */
function clock(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`
}

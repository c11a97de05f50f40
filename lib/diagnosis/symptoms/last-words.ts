import { cut } from "../../base/cut.ts"
import { readable } from "../../clients/log-line.ts"
import { specs, type ComponentName } from "../../components/registry.ts"
import { howEnded } from "../../failures/describe.ts"
import type { Observation } from "../observation.ts"
import { vanished } from "../signs.ts"
import { componentOf, symptom, UNLESS_RESTARTED, type Symptom } from "../symptom.ts"
import { fieldIn, lineNamed, onlyLineWith } from "../written.ts"

/** Lines with which a component says that it gives up, and why. */
const FATAL: readonly RegExp[] = [
  /^(?:panic|fatal error): (?<words>.+)$/,
  /^\{"level":"(?:fatal|panic)"/,
  /"command failed" err="(?<words>.+?)"?$/,
  /^F\d{4} \S+\s+\d+ \S+\] (?<words>.+)$/,
  /^Error: (?<words>.+)$/i,
  /^containerd: (?<words>.+)$/,
  /level=(?:fatal|panic) msg=(?<words>.+)$/,
]
/** Lines with which a component complains. It survives most of what it complains about. */
const ERRORS: readonly RegExp[] = [/^\{"level":"error"/, /^E\d{4} \S+\s+\d+ \S+\] (?<words>.+)$/]
/** A complaint explains an end only if it is among so many last lines. */
const FINAL = 2
/** The number of lines at the end of a log that belong to the process that has ended, as far as can be told. */
const LATEST = 100
/** The same, if it is not known when the process ended. */
const LAST = 12
/** What components say when somebody ends them. */
const WHEN_ENDED = /finished without leader elect|leaderelection lost|context canceled|signal/i
/** Characters of a quoted value that can tell a line of a script from all others. */
const SHORTEST = 4
/** Characters of a component's words that a cause quotes. */
const LONGEST = 240

/** A line in which a component says why it ends, and what it says. */
interface LastWords {
  readonly evidence: string
  readonly words: string
}

/**
 * A component that has ended, in its own words, where no other row knows them: the least specific rows that say more
 * than that it has ended.
 */
export const lastWords: readonly Symptom[] = specs.flatMap(({ name }) => {
  const exitOf = ({ failure }: Observation) =>
    failure?.kind === "component-exited" && failure.name === name ? failure : undefined
  /** A process that its script has missed, under another name than the component's: with a wrapper, for example. */
  const missedOf = ({ failure }: Observation) =>
    failure?.kind === "script-ended" && failure.name === name && failure.missed !== undefined ? failure : undefined
  return [
    symptom({
      id: "last-words",
      component: name,
      lasting: (seen) => (exitOf(seen) === undefined ? UNLESS_RESTARTED : undefined),
      sign: (seen) => {
        const exit = exitOf(seen)
        const component = componentOf(seen, name)
        const own = component?.log ?? []
        const missed = missedOf(seen)
        if (missed !== undefined) {
          const words = lineIn(missed.log, FATAL)
          return words && { ...words, logPath: missed.logPath, remedy: remedyOf(seen, name, words) }
        }
        // After its error, a program may print its usage, which fills the end of the log that the failure holds.
        const words =
          exit === undefined
            ? atTheEnd(seen, name)
            : (lineIn(exit.log, FATAL) ??
              (exit.wasReady === true ? undefined : lineIn(own.slice(-LATEST), FATAL)) ??
              (exit.wasReady === true ? undefined : lineIn(exit.log.slice(-FINAL), ERRORS)))
        if (words === undefined) return undefined
        const logPath = (exit ?? component)?.logPath ?? ""
        return { ...words, logPath, remedy: remedyOf(seen, name, words) }
      },
      cause: ({ words }) => `${name} gave up: ${words}`,
      remedy: ({ remedy }) => remedy,
      look: ({ logPath }) => `tail -n 20 ${logPath}`,
    }),
    symptom({
      id: "ended-by-itself",
      component: name,
      sign: (seen) => {
        const exit = exitOf(seen)
        if (exit?.wasReady !== true) return undefined
        const last = exit.log.at(-1) ?? ""
        return {
          evidence: last === "" ? `there is no process ${name} any more` : last,
          how: howEnded(exit.exit),
          logPath: exit.logPath,
        }
      },
      cause: ({ how }) => `${name} was ready, and later it ${how}; no lesson has ended it`,
      remedy: `Find out what ends it: its log, or a command of a script such as kill, pkill or timeout.`,
      look: ({ logPath }) => `tail -n 20 ${logPath}; grep -nE "kill|timeout" /root/cluster/*.sh`,
    }),
  ]
})

/**
 * Whether a component does not run and has not said why, so that what it would do is all that can be said. One that has
 * ended with an error explains itself.
 */
export function isJustAbsent(seen: Observation, name: ComponentName): boolean {
  const { failure } = seen
  const hasFailed = failure !== undefined && "log" in failure && failure.name === name
  const state = componentOf(seen, name)?.state ?? "absent"
  return state === "absent" && !hasFailed && atTheEnd(seen, name) === undefined
}

/**
 * The last words of a component that should run and does not, where its start is not what failed. Its log can also have
 * lines of a process before it, and of one that was ended.
 */
function atTheEnd(seen: Observation, name: ComponentName): LastWords | undefined {
  if (vanished(seen, name) === undefined) return undefined
  const words = lineIn(componentOf(seen, name)?.log.slice(-LAST) ?? [], FATAL)
  return words === undefined || WHEN_ENDED.test(words.words) ? undefined : words
}

/** The last line that matches the first pattern that matches any, and its words. */
function lineIn(log: readonly string[], patterns: readonly RegExp[]): LastWords | undefined {
  for (const pattern of patterns) {
    const line = log.findLast((one) => pattern.test(one))
    if (line === undefined) continue
    const words = pattern.exec(line)?.groups?.["words"] ?? readable(line)
    const text = words.replaceAll('\\"', '"').trim()
    return { evidence: line.trim(), words: cut(text, LONGEST) }
  }
  return undefined
}

function remedyOf(seen: Observation, name: ComponentName, { words }: LastWords): string {
  const component = componentOf(seen, name)
  const meant =
    quotedIn(words)
      .map((text) => onlyLineWith(seen, text))
      .find((line) => line !== undefined) ??
    (component && fieldIn(seen, component, words))
  const flag = meant === undefined ? flagIn(seen, name, words) : undefined
  const what = meant === undefined ? flag && `the value of ${flag}` : lineNamed(meant)
  return `Correct what ${name} complains about${what === undefined ? "" : `: ${what}`}.`
}

/** The flag of a component whose value is in its words; of several, the one with the longest value. */
function flagIn(seen: Observation, name: ComponentName, words: string): string | undefined {
  return (componentOf(seen, name)?.argv ?? [])
    .flatMap((word) => {
      const [, flag = "", value = ""] = /^(--?[\w-]+)=(.+)$/s.exec(word) ?? []
      return value.length >= SHORTEST && words.includes(value) ? [{ flag, value }] : []
    })
    .toSorted((one, other) => other.value.length - one.value.length)[0]?.flag
}

/** The texts that a component quotes in its words, the longest first. */
function quotedIn(words: string): string[] {
  const quoted = [...words.matchAll(/"([^"]+)"|'([^']+)'/g)].map(([, double, single]) => double ?? single ?? "")
  return quoted.filter((text) => text.length >= SHORTEST).toSorted((one, other) => other.length - one.length)
}

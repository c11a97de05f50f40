import { readable } from "../../clients/log-line.ts"
import { specs } from "../../components/registry.ts"
import { howEnded } from "../../failures/describe.ts"
import type { ComponentExited } from "../../failures/failure.ts"
import type { Observation } from "../observation.ts"
import { componentOf, symptom, type Symptom } from "../symptom.ts"

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
/** Characters of a component's words that a cause quotes. */
const LONGEST = 240

/**
 * A component that has ended, in its own words, where no other row knows them: the least specific rows that say more
 * than that it has ended.
 */
export const lastWords: readonly Symptom[] = specs.flatMap(({ name }) => {
  const exitOf = ({ failure }: Observation) =>
    failure?.kind === "component-exited" && failure.name === name ? failure : undefined
  return [
    symptom({
      id: "last-words",
      component: name,
      sign: (seen) => {
        const exit = exitOf(seen)
        // After its error, a program may print its usage, which fills the end of the log that the failure holds.
        const said =
          exit === undefined
            ? undefined
            : (lineIn(exit.log, FATAL) ??
              (exit.wasReady === true ? undefined : lineIn(componentOf(seen, name)?.log.slice(-LATEST) ?? [], FATAL)) ??
              (exit.wasReady === true ? undefined : lineIn(exit.log.slice(-FINAL), ERRORS)))
        return exit === undefined || said === undefined
          ? undefined
          : { ...said, logPath: exit.logPath, remedy: remedyOf(exit) }
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

/** The last line that matches the first pattern that matches any, and its words. */
function lineIn(log: readonly string[], patterns: readonly RegExp[]): { evidence: string; words: string } | undefined {
  for (const pattern of patterns) {
    const line = log.findLast((one) => pattern.test(one))
    if (line === undefined) continue
    const words = pattern.exec(line)?.groups?.["words"] ?? readable(line)
    const text = words.replaceAll('\\"', '"').trim()
    return { evidence: line.trim(), words: text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text }
  }
  return undefined
}

function remedyOf({ name, place }: ComponentExited): string {
  return place === undefined
    ? `Correct what ${name} complains about.`
    : `Correct what ${name} complains about. Line ${place.line} of ${place.file} starts it.`
}

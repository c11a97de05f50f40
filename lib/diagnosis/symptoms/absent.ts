import { basename } from "node:path/posix"
import { cut } from "../../base/cut.ts"
import { commandAt } from "../../base/shell.ts"
import { learnersSpecs, specs, type ComponentName } from "../../components/registry.ts"
import { howEnded, lineOf, stateAtEnd } from "../../failures/describe.ts"
import type { ScriptPlace } from "../../failures/failure.ts"
import { portOf } from "../../clients/sockets.ts"
import { apiserverAddressOf, logPathOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { scriptsOf, startCommandsOf } from "../scripts.ts"
import { etcdAddressOf, vanished } from "../signs.ts"
import { componentOf, first, symptom, UNLESS_RESTARTED, type Named, type Symptom } from "../symptom.ts"

const NO_END = "it has neither succeeded nor ended the script"
/** Characters of a script's command that a cause shows. */
const LONGEST_COMMAND = 80

export const SCRIPT_RUNS_ON = "script-runs-on"

/** Whether a script has no command that starts a component, and calls no other script that could have one. */
function startsNo(seen: Observation, script: string, name: ComponentName): boolean {
  const text = scriptsOf(seen).find((one) => one.name === script)?.text
  if (text === undefined || startCommandsOf(seen).some((one) => one.script === script && one.component === name))
    return false
  const commands = text.split("\n").filter((line) => !line.startsWith("#"))
  return !commands.some((line) => /\b(?:source|eval|bash|sh)\b|^\s*\.\s|\.sh\b/.test(line))
}

/** A script that does not come past one of its commands. */
const runsOn = (component: ComponentName | undefined, sign: (seen: Observation) => Stuck | undefined) =>
  symptom({
    id: SCRIPT_RUNS_ON,
    component,
    sign,
    cause: ({ file, where, time }) => `${file} does not come past ${where}${time}, so nothing below it happens`,
    remedy: ({ remedy }) => remedy,
    look: ({ file, line }) => `sed -n ${line}p ${file}`,
  })

/**
 * Components that should run and do not, where no other row explains it. A component whose start has just failed is
 * explained by its log.
 */
export const absent: readonly Symptom[] = [
  ...(
    [
      ["etcd", etcdAddressOf],
      ["kube-apiserver", apiserverAddressOf],
    ] as const
  ).map(([name, addressOf]) =>
    symptom({
      id: "port-taken",
      component: name,
      sign: (seen) => inItsPlace(seen, name, addressOf(seen)),
      cause: ({ program, pid, address }) =>
        `${name} does not run, and ${program} (pid ${pid}) listens on its address, ${address}`,
      remedy: ({ pid }) => `Stop that process: kill ${pid}`,
      look: "ss -tlnp",
    }),
  ),
  ...learnersSpecs.flatMap(({ name }) => [
    symptom({
      id: "script-ended",
      component: name,
      sign: (seen) => {
        const { failure } = seen
        if (failure?.kind !== "script-ended" || failure.name !== name) return undefined
        const { script, exit, logPath, log, place, missed, wasRunning, hasStarted = false } = failure
        const what = wasRunning ? `changes how ${name} is started` : `starts ${name}`
        const before = hasStarted ? "so the script ends there" : `so the script ends before it ${what}`
        const how = howEnded(exit)
        const hasFailed = exit.code !== 0 && place !== undefined
        const state = stateAtEnd(failure)
        if (missed !== undefined)
          return {
            evidence: saidBefore(log, place, missed) ?? `${script} ${how}`,
            state,
            what: `${missed.file} ${how}, because what it started in the background has ended: ${lineOf(missed, LONGEST_COMMAND)}`,
            remedy: `Correct line ${missed.line} of ${missed.file}, or what it needs from the lines above it. What it prints is in the log.`,
            logPath,
          }
        if (!hasFailed && place !== undefined && startsNo(seen, script, name))
          return {
            evidence: log.at(-1) || `${script} ${how}`,
            state,
            what: `${script} has no command that starts ${name}: it ${how} after ${lineOf(place, LONGEST_COMMAND)}`,
            remedy: `Write that command below line ${place.line} of ${basename(place.file)}, with exec or in the background.`,
            logPath,
          }
        return {
          evidence: log.at(-1) || `${script} ${how}`,
          state,
          what: hasFailed ? `${place.file} ${how} in ${lineOf(place, LONGEST_COMMAND)}` : `${script} ${how}`,
          remedy: hasFailed
            ? `Correct that command: it fails, and ${before}.${hides(seen, place) ? " Its own error goes to /dev/null: run it without that to read it." : ""}`
            : `Correct the script, or add one for ${name}: ${name} must still run when the last of them ends, for example in the background.`,
          logPath,
        }
      },
      cause: ({ what, state }) => `${what}, and ${state}`,
      remedy: ({ remedy }) => remedy,
      look: ({ logPath }) => `cat ${logPath}`,
    }),
    symptom({
      id: "script-missing",
      component: name,
      sign: ({ failure }) =>
        failure?.kind === "not-started" && failure.name === name && failure.missing !== undefined
          ? { evidence: `there is no process ${name}, and no script ${failure.missing}`, missing: failure.missing }
          : undefined,
      cause: ({ missing }) => `the folder has no script ${missing}, and no other script starts ${name}`,
      remedy: ({ missing }) =>
        `Write one that starts ${name}; NAME is yours to choose, in place of NAME in ${missing}.`,
      look: ({ missing }) => `ls ${missing.replace("NAME", "*")}; npx byhand hint ${missing.slice(0, 2)}`,
    }),
    symptom({
      id: "script-without-effect",
      component: name,
      sign: ({ failure }) =>
        failure?.kind === "not-started" && failure.name === name
          ? {
              evidence: failure.log.at(-1) || `there is no process ${name}`,
              script:
                failure.place === undefined
                  ? (failure.script ?? "no script")
                  : `${failure.place.file}, ${lineOf(failure.place, LONGEST_COMMAND)},`,
              logPath: failure.logPath,
              seconds: (failure.waited / 1000).toFixed(0),
            }
          : undefined,
      cause: ({ script, seconds }) => `${script} still runs after ${seconds} s and has not started ${name}`,
      remedy: `Start ${name} in it. A command before that must end, or run in the background.`,
      look: ({ logPath }) => `ps -ef --forest; cat ${logPath}`,
    }),
  ]),
  ...learnersSpecs.map(({ name }) =>
    runsOn(name, ({ failure }) =>
      failure?.kind === "script-runs-on" && failure.name === name
        ? stuck(
            failure.place,
            failure.log.findLast((line) => /\w/.test(line)),
            failure.waited,
          )
        : undefined,
    ),
  ),
  ...specs.map(({ name, absence, isProvided = false }) =>
    symptom({
      id: "not-running",
      component: name,
      // What the course provides is started again, and who needs it says more.
      lasting: () => (isProvided ? undefined : UNLESS_RESTARTED),
      sign: (seen) => {
        const evidence = vanished(seen, name)
        return evidence === undefined ? undefined : { evidence }
      },
      cause: `${name} does not run: ${absence}`,
      remedy: `Start ${name} again. Its log says how it ended.`,
      look: (_, seen) => `tail ${logPathOf(seen, name)}`,
    }),
  ),
  runsOn(undefined, ({ waiting = [], failure }) =>
    failure === undefined ? undefined : first(waiting, (place) => stuck(place)),
  ),
]

/** What was printed about a command that has ended, before the script missed it. */
function saidBefore(log: readonly string[], place: ScriptPlace | undefined, missed: ScriptPlace): string | undefined {
  const about = (line: number) => (text: string) => text.includes(`: line ${line}: `)
  const isOwn = about(place?.line ?? 0)
  return log.findLast(about(missed.line)) ?? log.findLast((text) => text.trim() !== "" && !isOwn(text))
}

/** What is known of a command that a script does not come past. */
type Stuck = Named<"file" | "line" | "where" | "time" | "remedy">

function stuck(place: ScriptPlace, printed = "", waited?: number): Stuck {
  const last = printed === "" ? "" : ` The script last printed: ${cut(printed, LONGEST_COMMAND)}`
  return {
    evidence: printed || place.command,
    file: place.file,
    line: String(place.call?.line ?? place.line),
    where: lineOf(place, LONGEST_COMMAND),
    remedy: `Correct that command of ${place.file}, or what it waits for: ${NO_END}.${last}`,
    time: waited === undefined ? " any more" : ` for ${(waited / 1000).toFixed(0)} s`,
  }
}

/** Whether a command of a script hides what it prints about its own failure. */
function hides({ files }: Observation, { file, line, command }: ScriptPlace): boolean {
  return /(?:2|&)>\s*\/dev\/null/.test(`${command} ${commandAt(files[file] ?? "", line)}`)
}

/** Another process listens where an absent component should. */
function inItsPlace(seen: Observation, name: ComponentName, address: string) {
  const other = seen.listeners.find(({ local }) => portOf(local) === portOf(address))
  return componentOf(seen, name)?.state !== "absent" || other === undefined
    ? undefined
    : {
        evidence: `ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
        program: other.program,
        pid: String(other.pid),
        address: other.local,
      }
}

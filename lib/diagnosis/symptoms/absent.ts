import { learnersSpecs, specs, type ComponentName } from "../../components/registry.ts"
import { howEnded } from "../../failures/describe.ts"
import { portOf } from "../../clients/sockets.ts"
import { apiserverAddressOf, logPathOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { etcdAddressOf, vanished } from "../signs.ts"
import { componentOf, symptom, UNLESS_RESTARTED, type Symptom } from "../symptom.ts"

/** Characters of a script's command that a cause shows. */
const LONGEST_COMMAND = 80

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
        const { script, exit, logPath, log, place, wasRunning } = failure
        const starts = wasRunning ? "changes how" : "starts"
        const how = howEnded(exit)
        const hasFailed = exit.code !== 0 && place !== undefined
        return {
          evidence: log.at(-1) || `${script} ${how}`,
          state: wasRunning ? `${name} still runs as before` : `no ${name} runs`,
          what: hasFailed
            ? `${place.file} ${how} in line ${place.line} (${shortened(place.command)})`
            : `${script} ${how}`,
          remedy: hasFailed
            ? `Correct that command: it fails, and so the script ends before it ${starts} ${name}${wasRunning ? " is started" : ""}.`
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
                  : `${failure.place.file}, line ${failure.place.line} (${shortened(failure.place.command)}),`,
              logPath: failure.logPath,
              seconds: (failure.waited / 1000).toFixed(0),
            }
          : undefined,
      cause: ({ script, seconds }) => `${script} still runs after ${seconds} s and has not started ${name}`,
      remedy: `Start ${name} in it. A command before that must end, or run in the background.`,
      look: ({ logPath }) => `ps -ef --forest; cat ${logPath}`,
    }),
  ]),
  ...specs.map(({ name, absence }) =>
    symptom({
      id: "not-running",
      component: name,
      lasting: UNLESS_RESTARTED,
      sign: (seen) => {
        const evidence = vanished(seen, name)
        return evidence === undefined ? undefined : { evidence }
      },
      cause: `${name} does not run: ${absence}`,
      remedy: `Start ${name} again. Its log says how it ended.`,
      look: (_, seen) => `tail ${logPathOf(seen, name)}`,
    }),
  ),
]

/** A command of a script for a sentence. */
function shortened(command: string): string {
  return command.length > LONGEST_COMMAND ? `${command.slice(0, LONGEST_COMMAND - 1)}…` : command
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

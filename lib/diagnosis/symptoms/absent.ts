import { specs, type ComponentName } from "../../components/registry.ts"
import { howEnded } from "../../failures/describe.ts"
import { apiserverAddressOf, logPathOf, portOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import { etcdAddressOf, vanished } from "../signs.ts"
import { componentOf, symptom, UNLESS_RESTARTED, type Symptom } from "../symptom.ts"

/** The components that a learner's scripts start. */
const learners = specs.filter(({ isProvided }) => isProvided !== true)

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
  ...learners.flatMap(({ name }) => [
    symptom({
      id: "script-ended",
      component: name,
      sign: (seen) => {
        const { failure } = seen
        if (failure?.kind !== "script-ended" || failure.name !== name) return undefined
        const { script, exit, logPath, log } = failure
        const how = howEnded(exit)
        return { evidence: log.at(-1) || `${script} ${how}, and there is no process ${name}`, script, how, logPath }
      },
      cause: ({ script, how }) => `${script} ${how}, and no ${name} runs`,
      remedy: `Correct the script, or add one for ${name}: ${name} must still run when the last of them ends, for example in the background.`,
      look: ({ logPath }) => `cat ${logPath}`,
    }),
    symptom({
      id: "script-without-effect",
      component: name,
      sign: ({ failure }) =>
        failure?.kind === "not-started" && failure.name === name
          ? {
              evidence: failure.log.at(-1) || `there is no process ${name}`,
              script: failure.script ?? "no script",
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

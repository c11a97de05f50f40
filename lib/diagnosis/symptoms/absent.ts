import { specOf, specs, type ComponentName } from "../../components/registry.ts"
import { knownFiles } from "../../components/settings/files.ts"
import { componentOf, type Sign, type Symptom } from "../symptom.ts"

/** The components that a learner's scripts start. */
const learners = specs.filter(({ isProvided }) => isProvided !== true)

/** Components that should run and do not, where nothing told more. The finding of one that has just failed to start is in its own words. */
export const absent: readonly Symptom[] = [
  ...(["etcd", "kube-apiserver"] as const).map((name) => ({
    id: "port-taken",
    component: name,
    sign: another(name),
    cause: `${name} does not run, and $1 (pid $2) listens on $3 in its place`,
    remedy: "Stop that one: kill $2",
    look: "ss -tlnp",
  })),
  ...learners.flatMap(({ name }) => [
    {
      id: "script-ended",
      component: name,
      sign: script(name, /(\S+\.sh) ((?:exited|has ended).*?), and no/),
      cause: `$1 $2 before any ${name} ran`,
      remedy: `Mend the script, or add one for ${name}: it must run when the last of them ends, in the background at least.`,
      look: "cat $3",
    },
    {
      id: "script-without-effect",
      component: name,
      sign: script(name, /(No) \S+ (runs after .*)/),
      cause: `no script has started any ${name} so far, though one still runs`,
      remedy: `Start ${name} in it: what stands before must come to an end, or be in the background.`,
      look: "ps -ef --forest; cat $3",
    },
  ]),
  ...specs.map(({ name, absence }) => ({
    id: "not-running",
    component: name,
    sign: isAbsent(name),
    cause: `${name} does not run: ${absence}`,
    remedy: `Start ${name} again. Its log tells how it ended.`,
    look: `tail /var/log/byhand/${name}.log`,
  })),
]

function another(name: ComponentName): Sign {
  return (seen) => {
    const one = componentOf(seen, name)
    if (one?.state !== "absent") return undefined
    const { port } = specOf(name).settings(one, knownFiles(seen.files)).address ?? {}
    const other = seen.listeners.find(({ local }) => local.endsWith(`:${port}`))
    return other === undefined
      ? undefined
      : {
          evidence: `ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`,
          names: [other.program, String(other.pid), other.local],
        }
  }
}

/** What came of a learner's script that was to start a component; the last words in its log are the evidence. */
function script(name: ComponentName, words: RegExp): Sign {
  return (seen) => {
    const [, subject, verb] = new RegExp(`^${name} was not started: ${words.source}`).exec(seen.complaint) ?? []
    const one = componentOf(seen, name)
    return subject === undefined
      ? undefined
      : { evidence: one?.log.at(-1) || seen.complaint, names: [subject, verb, one?.logPath] }
  }
}

function isAbsent(name: ComponentName): Sign {
  return (seen) => {
    const one = componentOf(seen, name)
    if (one?.state !== "absent" || !one.isMeantToBe || new RegExp(`^${name} (?:exited|was)`).test(seen.complaint))
      return undefined
    return { evidence: one.log.at(-1)?.slice(0, 300) || `there is no process ${name}` }
  }
}

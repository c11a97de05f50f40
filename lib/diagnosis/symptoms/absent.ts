import type { ComponentName } from "../../components/component.ts"
import type { Observation } from "../observation.ts"
import { componentOf, flagOf, type Shown, type Sign, type Symptom } from "../symptom.ts"

/** Components that should run and do not, where nothing told more. The finding of one that has just failed to start is in its own words. */
export const absent: readonly Symptom[] = [
  { id: "port-taken", component: "kube-apiserver", sign: another,
    cause: "kube-apiserver does not run, and $1 (pid $2) listens on $3 in its place", remedy: "Stop that one: kill $2", look: "ss -tlnp" },
  ...([
    ["etcd", "nothing can be read or written in the cluster"],
    ["kube-apiserver", "kubectl, the scheduler and the kubelet have nobody to talk to"],
    ["kube-scheduler", "new Pods stay Pending"],
    ["registry", "images cannot be pulled"],
    ["containerd", "no container can be started, looked at or stopped"],
    ["kubelet", "this machine is a Node that nobody stands for: Pods bound to it do not start, and those that die stay dead"],
  ] as const satisfies readonly (readonly [ComponentName, string])[]).map(([name, consequence]) => ({
    id: "not-running", component: name, sign: isAbsent(name),
    cause: `${name} does not run: ${consequence}`, remedy: `Start ${name} again. Its log tells how it ended.`, look: `tail /var/log/byhand/${name}.log`,
  })),
]

function another(seen: Observation): Shown | undefined {
  const one = componentOf(seen, "kube-apiserver")
  const port = flagOf(one, "--secure-port") ?? "6443"
  const other = seen.listeners.find(({ local }) => local.endsWith(`:${port}`))
  return one?.state !== "absent" || other === undefined ? undefined : { evidence: `ss -tlnp: ${other.local} ${other.program},pid=${other.pid}`, names: [other.program, String(other.pid), other.local] }
}

function isAbsent(name: ComponentName): Sign {
  return (seen) => {
    const one = componentOf(seen, name)
    if (one?.state !== "absent" || !one.isMeantToBe || new RegExp(`^${name} (?:exited|was)`).test(seen.complaint)) return undefined
    return { evidence: one.log.at(-1)?.slice(0, 300) || `there is no process ${name}` }
  }
}

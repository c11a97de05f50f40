import { z } from "zod"
import { mayLowerOomScore } from "../../machines/capabilities.ts"
import { containers, eventOf, eventsOf, died, nodeOf, ofPod, stuck, unscheduled, waits } from "../containers.ts"
import { containerdOf, dataDirOf } from "../facts.ts"
import type { Observation } from "../observation.ts"
import {
  complainedOf,
  componentOf,
  first,
  flagOf,
  holds,
  matched,
  mismatchOf,
  object,
  said,
  symptom,
  AT_ONCE,
  SOON,
  type Symptom,
} from "../symptom.ts"
import { isJustAbsent } from "./last-words.ts"

/** Problems of Pods, Deployments, Services and of what etcd keeps of them, the most specific first. */
export const pods: readonly Symptom[] = [
  symptom({
    id: "pod-never-ran",
    component: "kubelet",
    sign: (seen) =>
      object("pods", (pod) => {
        const { data } = running.safeParse(pod)
        const hasKubelet = seen.api?.leases?.some(
          ({ metadata: { name, namespace } }) => namespace === "kube-node-lease" && name === data?.spec.nodeName,
        )
        return seen.failure === undefined || data === undefined || hasKubelet !== false
          ? undefined
          : `Pod ${pod.metadata.name}: Running on Node ${data.spec.nodeName}; there is no lease ${data.spec.nodeName} in kube-node-lease`
      })(seen),
    cause: ({ object: pod }) =>
      `Pod ${pod} has the status Running on a Node that never had a kubelet: another program wrote the status`,
    remedy: "Only the kubelet may write a Pod's status. The managed fields name the program that wrote it.",
    look: ({ object: pod }) =>
      `kubectl get pod ${pod} -o yaml --show-managed-fields; kubectl get leases -n kube-node-lease`,
  }),
  symptom({
    id: "not-ready-taint",
    component: "kubelet",
    // Pods that have a Node already go on.
    lasting: (seen) => (unscheduled(seen) === undefined ? undefined : SOON),
    sign: (seen) =>
      first(seen.api?.nodes ?? [], (node) => {
        const { taints, ready } = nodeOf(node)
        const taint = taints.find((one) => one.startsWith("node.kubernetes.io/not-ready:"))
        return taint === undefined || ready?.status !== "True" || !isJustAbsent(seen, "kube-controller-manager")
          ? undefined
          : {
              evidence: `Node ${node.metadata.name} is Ready, spec.taints: ${taint}`,
              node: node.metadata.name,
              taint,
            }
      }),
    cause: ({ node, taint }) =>
      `Node ${node} is Ready and still has the taint ${taint}, so no Pod is scheduled there: kube-controller-manager would remove the taint, and none runs`,
    remedy: ({ node }) =>
      `Start kube-controller-manager, or remove the taint: kubectl taint node ${node} node.kubernetes.io/not-ready-. Without a controller-manager, start kube-apiserver with --disable-admission-plugins=TaintNodesByCondition.`,
    look: ({ node }) => `kubectl describe node ${node} | grep Taints`,
  }),
  symptom({
    id: "sandbox-oom-score",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) =>
      mayLowerOomScore(seen.looks["grep CapEff /proc/self/status"] ?? "") !== false ||
      containerdOf(seen).restrictsOomScore
        ? undefined
        : stuck(/can't get final child's PID from pipe: EOF|oom_score_adj.*permission denied/)(seen),
    cause: ({ pod }) =>
      `Pod ${pod} cannot start: containerd asks for a lower OOM score than this machine may set (it lacks CAP_SYS_RESOURCE), and runc fails`,
    remedy: (_, seen) =>
      `Set restrict_oom_score_adj = true below [plugins."io.containerd.cri.v1.runtime"] in ${containerdOf(seen).path}, and start containerd again.`,
    look: (_, seen) => `grep -n oom ${containerdOf(seen).path}; grep CapEff /proc/self/status`,
  }),
  symptom({
    id: "sandbox-not-permitted",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) =>
      stuck(
        /^FailedCreatePodSandBox: .*runc create failed: (.*(?:can't get final child's PID from pipe: EOF|operation not permitted).*)/,
        "reason",
      )(seen),
    cause: ({ pod, reason }) =>
      `runc fails while it makes the namespaces of Pod ${pod} (${reason}): it lacks a capability, or a seccomp filter blocks a system call`,
    remedy: "Give the machine all capabilities and no seccomp filter, because it starts containers itself.",
    look: (_, seen) =>
      `grep -E 'CapBnd|Seccomp:' /proc/$(pidof containerd)/status; grep -n BinaryName ${containerdOf(seen).path}`,
  }),
  symptom({
    id: "runtime-missing",
    component: "containerd",
    lasting: AT_ONCE,
    sign: (seen) =>
      stuck(
        /(?:runtime "([^"]+)" binary not installed|exec: \\?"([\w./-]*runc[\w./-]*)\\?": executable file not found|fork\/exec (\S+): no such file)/,
        "program",
        "program",
        "program",
      )(seen),
    cause: ({ pod, program }) => `containerd cannot find ${program}, which must start the containers of Pod ${pod}`,
    remedy: (_, seen) =>
      `Put runc and containerd-shim-runc-v2 into a folder on PATH, or correct runtime_type in ${containerdOf(seen).path}.`,
    look: (_, seen) => `which runc containerd-shim-runc-v2; grep -n runtime_type ${containerdOf(seen).path}`,
  }),
  symptom({
    id: "seccomp-profile-missing",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) => waits(/cannot load seccomp profile "([^"]+)"/, "profile")(seen),
    cause: ({ pod, profile }) => `Pod ${pod} needs the seccomp profile ${profile}, and this Node does not have it`,
    remedy: "Put the profile there, or use the runtime's own: seccompProfile: { type: RuntimeDefault }",
    look: "ls -l /var/lib/kubelet/seccomp",
  }),
  symptom({
    id: "program-not-found",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) =>
      first(containers(seen), ({ pod, waiting, ended, isRunning }) =>
        isRunning
          ? undefined
          : ofPod(
              pod,
              matched(
                [waiting?.message ?? "", ended?.message ?? ""],
                /exec: \\?"([^"\\]+)\\?": (?:executable file not found|stat \S+: no such file)/,
                "program",
              ),
            ),
      ),
    cause: ({ pod, program }) =>
      `the command of Pod ${pod} names the program "${program}", and its image has no such program`,
    remedy: "Correct the Pod's command, or leave it out: the image names its own.",
    look: ({ pod }) => `kubectl get pod ${pod} -o jsonpath={.spec.containers[*].command}`,
  }),
  symptom({
    id: "object-missing",
    component: "kubelet",
    lasting: SOON,
    sign: (seen) => waits(/^CreateContainerConfigError: (configmap|secret) "([^"]+)" not found/, "kind", "name")(seen),
    cause: ({ pod, kind, name }) => `Pod ${pod} needs the ${kind} "${name}", which does not exist`,
    remedy: ({ kind, name }) =>
      `Create it: kubectl create ${kind === "secret" ? "secret generic" : kind} ${name} --from-literal=KEY=VALUE. The Pod then starts by itself.`,
    look: ({ pod }) => `kubectl describe pod ${pod}`,
  }),
  symptom({
    id: "runs-as-root",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) => waits(/container has runAsNonRoot and image will run as root/)(seen),
    cause: ({ pod }) => `Pod ${pod} must not run as root (runAsNonRoot), and its image runs as root`,
    remedy: "Name another user (runAsUser), or use an image that names one.",
    look: ({ pod }) => `kubectl get pod ${pod} -o jsonpath={.spec.containers[*].securityContext}`,
  }),
  symptom({
    id: "out-of-memory",
    component: "kubelet",
    sign: (seen) => died(({ reason }) => reason === "OOMKilled")(seen),
    cause: ({ pod, restarts }) =>
      `the container of Pod ${pod} used more memory than its limit and was killed (restarts: ${restarts})`,
    remedy: "Raise the limit (resources.limits.memory), or make the program use less memory.",
    look: ({ pod }) => `kubectl describe pod ${pod}`,
  }),
  symptom({
    id: "liveness-probe",
    component: "kubelet",
    sign: (seen) =>
      first(
        containers(seen).filter(({ restarts }) => restarts > 0),
        // A probe also fails when something else has ended the program.
        ({ pod }) =>
          eventOf(seen, pod, /failed liveness probe, will be restarted/) &&
          ofPod(pod, eventOf(seen, pod, /Liveness probe failed: (.*)/, "reason")),
      ),
    cause: ({ pod, reason }) =>
      `the kubelet restarts the container of Pod ${pod} again and again, because its liveness probe fails: ${reason}`,
    remedy: "Correct the probe's port and path, or give the program more time (initialDelaySeconds, failureThreshold).",
    look: ({ pod }) => `kubectl describe pod ${pod}`,
  }),
  symptom({
    id: "capability-dropped",
    component: "kubelet",
    sign: (seen) => died(({ exitCode }, words) => exitCode !== 0 && /operation not permitted/i.test(words))(seen),
    cause: ({ pod, exitCode, words }) =>
      `the container of Pod ${pod} ends with exit code ${exitCode}, because it lacks a permission. Its last words: ${words}`,
    remedy: "Give the container the capability that it needs (securityContext.capabilities), or change its program.",
    look: ({ pod }) => `kubectl logs ${pod}; kubectl get pod ${pod} -o jsonpath={.spec.containers[*].securityContext}`,
  }),
  symptom({
    id: "container-crashes",
    component: "kubelet",
    sign: (seen) => died(({ exitCode }) => exitCode !== 0)(seen),
    cause: ({ pod, exitCode, restarts, words }) =>
      `the container of Pod ${pod} ends with exit code ${exitCode} again and again (restarts: ${restarts}). Its last words: ${words}`,
    remedy: ({ pod }) => `Correct what its log complains of: kubectl logs ${pod} --previous`,
    look: ({ pod }) => `kubectl logs ${pod} --previous`,
  }),
  symptom({
    id: "container-ends",
    component: "kubelet",
    sign: (seen) => died(({ exitCode }) => exitCode === 0)(seen),
    cause: ({ pod, restarts }) =>
      `the program of Pod ${pod} ends with exit code 0, and the kubelet starts it again each time (restarts: ${restarts})`,
    remedy:
      "The program of a container must stay in the foreground. If it should end, use --restart=OnFailure, or a Job.",
    look: ({ pod }) => `kubectl logs ${pod}`,
  }),
  symptom({
    id: "service-without-kube-proxy",
    component: "kubelet",
    sign: (seen) =>
      !isJustAbsent(seen, "kube-proxy")
        ? undefined
        : object("services", (service) => {
            const { data } = clusterIp.safeParse(service)
            const isOwn = service.metadata.name === "kubernetes" && service.metadata.namespace === "default"
            const isCarried = data !== undefined && (seen.looks["nft list ruleset"] ?? "").includes(data.spec.clusterIP)
            return data === undefined || isOwn || isCarried || data.spec.clusterIP === "None"
              ? undefined
              : `Service ${service.metadata.name}: ${data.spec.clusterIP}; there is no process kube-proxy, and no rule for this address`
          })(seen),
    cause: ({ object: service }) =>
      `packets to the address of Service ${service} are not forwarded to any Pod: kube-proxy would do that, and none runs`,
    remedy: "Start kube-proxy. Until then, use a Pod's own address: kubectl get pods -o wide",
    look: ({ object: service }) => `kubectl get service ${service}; nft list ruleset`,
  }),
  symptom({
    id: "deployment-without-controller-manager",
    component: "kube-apiserver",
    sign: (seen) =>
      !isJustAbsent(seen, "kube-controller-manager")
        ? undefined
        : object("deployments", (deployment) =>
            observed.safeParse(deployment).success
              ? undefined
              : `Deployment ${deployment.metadata.name} has no status.observedGeneration; there is no process kube-controller-manager`,
          )(seen),
    cause: ({ object: deployment }) =>
      `Deployment ${deployment} has no Pods: kube-controller-manager would create them, and none runs`,
    remedy: "Start kube-controller-manager. A single Pod needs none: kubectl run NAME --image=IMAGE",
    look: "kubectl get deployments,replicasets,pods",
  }),
  symptom({
    id: "quota-used-up",
    component: "kube-apiserver",
    sign: (seen) =>
      said(
        /exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: ([^\s.]+)/,
        "quota",
        "requested",
        "used",
        "limit",
      )(seen),
    cause: ({ quota, requested, used, limit }) =>
      `kube-apiserver refuses the request because of the quota ${quota}: it allows ${limit}, ${used} are in use, and the request needs ${requested}`,
    remedy: ({ quota }) =>
      `Delete objects that are not needed, raise the quota (kubectl edit quota ${quota}), or delete it: kubectl delete quota ${quota}`,
    look: ({ quota }) => `kubectl describe quota ${quota}`,
  }),
  symptom({
    id: "kept-in-another-etcd",
    component: "kube-apiserver",
    sign: (seen) => {
      const elsewhere = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers-overrides")
      const [resource, server] = elsewhere?.split("#") ?? []
      return seen.failure === undefined || elsewhere === undefined || resource === undefined || server === undefined
        ? undefined
        : { evidence: `--etcd-servers-overrides=${elsewhere}`, resource, server }
    },
    cause: ({ resource, server }) => `kube-apiserver keeps the objects of ${resource} in another etcd (${server})`,
    remedy: ({ server }) => `Look there: etcdctl --endpoints=${server}. Or leave --etcd-servers-overrides out.`,
    look: ({ resource, server }) => `etcdctl --endpoints=${server} get /registry${resource} --prefix --keys-only`,
  }),
  symptom({
    id: "history-compacted",
    component: "etcd",
    sign: (seen) =>
      said(/Watcher canceled|required revision has been compacted/)(seen) === undefined
        ? undefined
        : complainedOf("etcd", /finished scheduled compaction","compact-revision":(\d+)/, "revision")(seen),
    cause: ({ revision }) =>
      `etcd has removed the revisions before ${revision} (compaction), so earlier states of an object cannot be read`,
    remedy: "Nothing is broken. To see all states of an object, watch it from the start: kubectl get pod NAME --watch",
    look: "etcdctl get / --rev=1",
  }),
  symptom({
    id: "etcd-not-lost",
    component: "etcd",
    sign: (seen) => {
      const { actual } = mismatchOf(seen) ?? {}
      const shown = matched(
        componentOf(seen, "etcd")?.log ?? [],
        /"ts":"([^"]+)".*(?:recovered v3 backend from snapshot|"msg":"restarting local member"|recovered store from snapshot)/,
        "since",
      )
      if (shown === undefined || typeof actual !== "string" || !isUnrejected(seen)) return undefined
      // Only an object from before etcd's start shows that etcd has kept it.
      const kept = seen.api?.pods?.find(
        ({ metadata: { name, creationTimestamp = shown.since } }) =>
          actual.includes(name) && new Date(creationTimestamp) < new Date(shown.since),
      )
      return kept === undefined ? undefined : shown
    },
    cause: (_, seen) => `etcd did not start with an empty folder: it found data in ${dataDirOf(seen)}`,
    remedy: "Another program has put the folder back, or etcd keeps its data in another folder (--data-dir).",
    look: (_, seen) => `ps -o args= -C etcd; ls -lR ${dataDirOf(seen)}`,
  }),
  symptom({
    id: "pod-made-anew",
    component: "kubelet",
    sign: (seen) =>
      hasOtherUid(seen)
        ? first(seen.api?.pods ?? [], ({ metadata: { name } }) => {
            const uids = [...new Set(eventsOf(seen, name).map(({ uid }) => uid))]
            return uids.length < 2
              ? undefined
              : { evidence: `events of Pod ${name} name the uids ${uids.join(", ")}`, pod: name }
          })
        : undefined,
    cause: ({ pod }) =>
      `Pod ${pod} was deleted and created again: it has another uid and another container than before`,
    remedy: "Find out who deleted it. A Pod that is not deleted outlives its control plane.",
    look: ({ pod }) => `kubectl get events --field-selector involvedObject.name=${pod}`,
  }),
  symptom({
    id: "events-gone",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) => {
      const actual = mismatchOf(seen)?.actual
      return !Array.isArray(actual) || actual.length > 0
        ? undefined
        : first(
            containers(seen).filter(({ isRunning }) => isRunning),
            ({ pod }) => (eventsOf(seen, pod).length > 0 ? undefined : { evidence: `no event names Pod ${pod}`, pod }),
          )
    },
    cause: ({ pod }) =>
      `Pod ${pod} has no events any more: they were deleted, or kube-apiserver removed them (--event-ttl, an hour by default)`,
    remedy: ({ pod }) =>
      `Create the Pod again to see them: kubectl delete pod ${pod}; kubectl run ${pod} --image=nginx`,
    look: "kubectl get events",
  }),
  symptom({
    id: "another-program",
    component: "kubelet",
    sign: (seen) => {
      const mismatch = mismatchOf(seen)
      const program =
        mismatch?.expected === "nginx" && typeof mismatch.actual === "string" ? mismatch.actual : undefined
      return program === undefined
        ? undefined
        : first(
            containers(seen).filter(({ command }) => command.length > 0),
            ({ pod, command }) => ({
              evidence: `${pod}: command: ${command.join(" ")}`,
              pod,
              program,
              command: command.join(" "),
            }),
          )
    },
    cause: ({ pod, program, command }) =>
      `the first process of Pod ${pod}'s container is ${program}, not nginx: the Pod names its own command (${command})`,
    remedy: ({ pod }) => `Create it without a command: kubectl delete pod ${pod}; kubectl run ${pod} --image=nginx`,
    look: ({ pod }) => `kubectl get pod ${pod} -o jsonpath={.spec.containers[*].command}`,
  }),
  symptom({
    id: "another-page",
    component: "kubelet",
    sign: (seen) => {
      const mismatch = mismatchOf(seen)
      return holds(mismatch?.expected, "Welcome to nginx") && typeof mismatch?.actual === "string"
        ? { evidence: mismatch.actual.split("\n")[0] ?? "" }
        : undefined
    },
    cause:
      "nginx answers with another page than the image's: the file in the container was changed, or another server has that address",
    remedy: "Create the Pod again, so that its container starts from the image.",
    look: "kubectl exec hello -- cat /usr/share/nginx/html/index.html",
  }),
  symptom({
    id: "pod-never-restarts",
    component: "kubelet",
    lasting: AT_ONCE,
    sign: (seen) =>
      object("pods", (pod) => {
        const { data } = finished.safeParse(pod)
        const ended = data?.status.containerStatuses.find(({ state }) => (state.terminated?.exitCode ?? 0) !== 0)
        return data?.spec.restartPolicy === "Never" && ended !== undefined
          ? `Pod ${pod.metadata.name}: restartPolicy: Never, exit code ${ended.state.terminated?.exitCode}`
          : undefined
      })(seen),
    cause: ({ object: pod }) =>
      `Pod ${pod} has restartPolicy: Never, so the kubelet does not start its container again`,
    remedy: "Create it again without --restart=Never.",
    look: ({ object: pod }) => `kubectl get pod ${pod} -o jsonpath={.spec.restartPolicy}`,
  }),
]

const clusterIp = z.object({ spec: z.object({ clusterIP: z.string().min(1) }) })
const running = z.object({
  spec: z.object({ nodeName: z.string() }),
  status: z.object({ phase: z.literal("Running") }),
})
const observed = z.object({ status: z.object({ observedGeneration: z.number() }) })
const finished = z.object({
  spec: z.object({ restartPolicy: z.string() }),
  status: z.object({
    containerStatuses: z
      .array(z.object({ state: z.object({ terminated: z.object({ exitCode: z.number() }).optional() }) }))
      .default([]),
  }),
})

/** A command should have failed, and did not: an error was expected, and another value came. */
function isUnrejected(seen: Observation): boolean {
  const expected = mismatchOf(seen)?.expected
  return typeof expected === "object" && expected !== null && "error" in expected
}

/** An object should have the uid that it had before, and has another. */
function hasOtherUid(seen: Observation): boolean {
  const { expected, actual } = mismatchOf(seen) ?? {}
  const uid = z.object({ uid: z.string() })
  const [before, now] = [uid.safeParse(expected).data?.uid, uid.safeParse(actual).data?.uid]
  return before !== undefined && now !== undefined && before !== now
}

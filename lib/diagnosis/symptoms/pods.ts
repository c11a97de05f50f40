import { mayLowerOomScore } from "../../machines/capabilities.ts"
import { z } from "zod"
import { containers, eventsOf, first, lastWords, nodeOf, stuck, waits, type Container } from "../containers.ts"
import type { Observation } from "../observation.ts"
import {
  complainedOf,
  componentOf,
  flagOf,
  matched,
  object,
  said,
  type Shown,
  type Sign,
  type Symptom,
} from "../symptom.ts"
import { containerdConfig } from "./containerd.ts"

/** What becomes of Pods, Deployments and Services, most specific first. */
export const pods: readonly Symptom[] = [
  {
    id: "pod-never-ran",
    component: "kubelet",
    sign: (seen) =>
      object("pods", (pod) => {
        const { data } = running.safeParse(pod)
        const hasKubelet = seen.api?.leases.some(
          ({ metadata: { name, namespace } }) => namespace === "kube-node-lease" && name === data?.spec.nodeName,
        )
        return seen.complaint === "" || data === undefined || hasKubelet !== false
          ? undefined
          : `Pod ${pod.metadata.name}: Running on Node ${data.spec.nodeName}; there is no lease ${data.spec.nodeName} in kube-node-lease`
      })(seen),
    cause: "Pod $1 is said to run, on a Node that no kubelet has ever stood for: somebody else wrote its status",
    remedy: "Leave a Pod's status to the kubelet; find out who wrote it by its managed fields.",
    look: "kubectl get pod $1 -o yaml --show-managed-fields; kubectl get leases -n kube-node-lease",
  },
  {
    id: "not-ready-taint",
    component: "kubelet",
    sign: (seen) =>
      first(seen.api?.nodes ?? [], (node) => {
        const { taints, ready } = nodeOf(node)
        const taint = taints.find((one) => one.startsWith("node.kubernetes.io/not-ready:"))
        return taint === undefined || ready?.status !== "True" || runs(seen, "kube-controller-manager")
          ? undefined
          : {
              evidence: `Node ${node.metadata.name} is Ready, spec.taints: ${taint}`,
              names: [node.metadata.name, taint],
            }
      }),
    cause:
      "Node $1 is Ready, and still has the taint $2, which it was registered with: kube-controller-manager lifts it, and none runs, so no Pod is scheduled there",
    remedy:
      "Start kube-controller-manager, or lift it by hand: kubectl taint node $1 node.kubernetes.io/not-ready-. Without a controller-manager, kube-apiserver goes with --disable-admission-plugins=TaintNodesByCondition.",
    look: "kubectl describe node $1 | grep Taints",
  },
  {
    id: "sandbox-oom-score",
    component: "containerd",
    sign: (seen) => {
      if (
        mayLowerOomScore(seen.looks.get("grep CapEff /proc/self/status") ?? "") !== false ||
        /restrict_oom_score_adj = true/.test(containerdConfig(seen).text)
      )
        return undefined
      return stuck(/(can't get final child's PID from pipe: EOF|oom_score_adj.*permission denied)/)(seen)
    },
    cause:
      "Pod $1 cannot start: containerd asks for a lower OOM score than this machine may give (it has no CAP_SYS_RESOURCE), and runc dies of that",
    remedy:
      'Set restrict_oom_score_adj = true below [plugins."io.containerd.cri.v1.runtime"] in containerd\'s configuration, and start containerd again.',
    look: "grep -n oom /etc/containerd/config.toml; grep CapEff /proc/self/status",
  },
  {
    id: "sandbox-not-permitted",
    component: "containerd",
    sign: stuck(
      /^FailedCreatePodSandBox: .*runc create failed: (.*(?:can't get final child's PID from pipe: EOF|operation not permitted).*)/,
    ),
    cause:
      "runc dies while it makes the namespaces of Pod $1 ($2): the kernel refuses what it asks for, since it lacks a capability, or a seccomp filter stands in the way",
    remedy: "Give the machine all capabilities and no seccomp filter: it starts containers itself.",
    look: "grep -E 'CapBnd|Seccomp:' /proc/$(pidof containerd)/status; grep -n BinaryName /etc/containerd/config.toml",
  },
  {
    id: "runtime-missing",
    component: "containerd",
    sign: stuck(
      /(?:runtime "([^"]+)" binary not installed|exec: \\?"([\w./-]*runc[\w./-]*)\\?": executable file not found|fork\/exec (\S+): no such file)/,
    ),
    cause: "containerd cannot find the program that starts containers for Pod $1 ($2$3$4)",
    remedy: "Put runc and containerd-shim-runc-v2 on the PATH, or correct runtime_type in containerd's configuration.",
    look: "which runc containerd-shim-runc-v2; grep -n runtime_type /etc/containerd/config.toml",
  },
  {
    id: "seccomp-profile-missing",
    component: "kubelet",
    sign: waits(/cannot load seccomp profile "([^"]+)": (.*)/),
    cause: "Pod $1 asks for the seccomp profile $2, which is not on this Node",
    remedy: "Put the profile there, or let the Pod have the runtime's own: seccompProfile: { type: RuntimeDefault }.",
    look: "ls -l /var/lib/kubelet/seccomp",
  },
  {
    id: "program-not-found",
    component: "kubelet",
    sign: notFound,
    cause: 'the container of Pod $1 is to run "$2", and its image has no such program',
    remedy: "Correct the Pod's command, or leave it out: the image knows its own.",
    look: "kubectl get pod $1 -o jsonpath={.spec.containers[*].command}",
  },
  {
    id: "object-missing",
    component: "kubelet",
    sign: waits(/^CreateContainerConfigError: (configmap|secret) "([^"]+)" not found/),
    cause: 'Pod $1 wants the $2 "$3", which there is not',
    remedy: "Make it: kubectl create $2 …; the Pod then starts by itself.",
    look: "kubectl describe pod $1",
  },
  {
    id: "runs-as-root",
    component: "kubelet",
    sign: waits(/(container has runAsNonRoot and image will run as root)/),
    cause: "Pod $1 may not run as root (runAsNonRoot), and its image does",
    remedy: "Say as whom it is to run (runAsUser), or take an image that says so itself.",
    look: "kubectl get pod $1 -o jsonpath={.spec.containers[*].securityContext}",
  },
  {
    id: "out-of-memory",
    component: "kubelet",
    sign: died(({ reason }) => reason === "OOMKilled"),
    cause: "the container of Pod $1 was killed ($2 times): it took more memory than its limit",
    remedy: "Raise the limit (resources.limits.memory), or make the program need less.",
    look: "kubectl describe pod $1",
  },
  {
    id: "liveness-probe",
    component: "kubelet",
    sign: (seen) =>
      first(
        containers(seen).filter(({ restarts }) => restarts > 0),
        ({ pod }) => {
          const shown = matched(
            eventsOf(seen, pod).map(({ text }) => text),
            /Liveness probe failed: (.*)/,
          )
          return shown === undefined ? undefined : { evidence: shown.evidence, names: [pod, ...(shown.names ?? [])] }
        },
      ),
    cause: "the kubelet restarts the container of Pod $1 again and again, since its liveness probe fails: $2",
    remedy: "Correct the probe's port and path, or give the program longer (initialDelaySeconds, failureThreshold).",
    look: "kubectl describe pod $1",
  },
  {
    id: "capability-dropped",
    component: "kubelet",
    sign: died(({ exitCode }, words) => exitCode !== 0 && /operation not permitted/i.test(words)),
    cause: "the container of Pod $1 ends with exit code $3: it may not do what it wants to, as it says itself: $4",
    remedy: "Give it back the capability it needs (securityContext.capabilities), or change what it does.",
    look: "kubectl logs $1; kubectl get pod $1 -o jsonpath={.spec.containers[*].securityContext}",
  },
  {
    id: "container-crashes",
    component: "kubelet",
    sign: died(({ exitCode }) => exitCode !== 0),
    cause:
      "the container of Pod $1 ends by itself with exit code $3, again and again (restarts: $2). Its last words: $4",
    remedy: "What it says is the reason. All of it: kubectl logs $1 --previous",
    look: "kubectl logs $1 --previous",
  },
  {
    id: "container-ends",
    component: "kubelet",
    sign: died(({ exitCode }) => exitCode === 0),
    cause:
      "the container of Pod $1 does its work and ends (exit code 0), and is started again each time (restarts: $2)",
    remedy: "A Pod's container has to stay in the foreground. One that should end needs --restart=OnFailure, or a Job.",
    look: "kubectl logs $1",
  },
  {
    id: "service-without-kube-proxy",
    component: "kubelet",
    sign: (seen) =>
      runs(seen, "kube-proxy")
        ? undefined
        : object("services", (service) => {
            const { data } = clusterIp.safeParse(service)
            const isOwn = service.metadata.name === "kubernetes" && service.metadata.namespace === "default"
            const isCarried =
              data !== undefined && (seen.looks.get("nft list ruleset") ?? "").includes(data.spec.clusterIP)
            return data === undefined || isOwn || isCarried || data.spec.clusterIP === "None"
              ? undefined
              : `Service ${service.metadata.name}: ${data.spec.clusterIP}; there is no process kube-proxy, and no rule for this address`
          })(seen),
    cause:
      "Service $1 has an address, and nobody on this machine carries what is sent to it: kube-proxy does that, and none runs",
    remedy: "Start kube-proxy. Until then a Pod's own address works: kubectl get pods -o wide",
    look: "kubectl get service $1; nft list ruleset",
  },
  {
    id: "deployment-without-controller-manager",
    component: "kube-apiserver",
    sign: (seen) =>
      runs(seen, "kube-controller-manager")
        ? undefined
        : object("deployments", (deployment) => {
            const isTakenUp = observed.safeParse(deployment).success
            return isTakenUp
              ? undefined
              : `Deployment ${deployment.metadata.name} has no status.observedGeneration; there is no process kube-controller-manager`
          })(seen),
    cause: "nobody makes the Pods of Deployment $1: kube-controller-manager does that, and none runs",
    remedy: "Start kube-controller-manager. A single Pod does without: kubectl run NAME --image=IMAGE",
    look: "kubectl get deployments,replicasets,pods",
  },
  {
    id: "quota-used-up",
    component: "kube-apiserver",
    sign: said(/exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: ([^\s.]+)/),
    cause: "kube-apiserver lets no more be made: the quota $1 allows $4, $3 are counted, and this asks for $2",
    remedy: "Delete what is not needed, raise the quota (kubectl edit quota $1), or delete it: kubectl delete quota $1",
    look: "kubectl describe quota $1",
  },
  {
    id: "kept-in-another-etcd",
    component: "kube-apiserver",
    sign: (seen) => {
      const elsewhere = flagOf(componentOf(seen, "kube-apiserver"), "--etcd-servers-overrides")
      return seen.complaint === "" || elsewhere === undefined
        ? undefined
        : { evidence: `--etcd-servers-overrides=${elsewhere}`, names: elsewhere.split("#") }
    },
    cause: "kube-apiserver keeps what is under $1 in another etcd ($2)",
    remedy: "Look there: etcdctl --endpoints=$2. Or leave --etcd-servers-overrides out.",
    look: "etcdctl --endpoints=$2 get /registry$1 --prefix --keys-only",
  },
  {
    id: "history-compacted",
    component: "etcd",
    sign: compacted,
    cause:
      "etcd has thrown away what came before revision $1 (compaction), so an object's earlier states can no longer be read",
    remedy: "Nothing is broken. To see an object's whole story, watch it from the start: kubectl get pod NAME --watch",
    look: "etcdctl get / --rev=1",
  },
  {
    id: "snapshot-missing",
    component: "etcd",
    sign: said(/(\/\S+\.db): no such file or directory|open (\/\S+\.db)|lstat (\/\S+\.db)/),
    cause: "the backup $1$2$3 is not there",
    remedy: "Without it what etcd held is lost. Keep backups where nothing else cleans up: etcdctl snapshot save FILE",
    look: "ls -l $1$2$3",
  },
  {
    id: "snapshot-damaged",
    component: "etcd",
    sign: said(
      /(expected sha256 .*|snapshot file integrity check.*|snapshot missing hash.*|.*invalid database.*|unexpected EOF.*|file size too small.*)/,
    ),
    cause: "the backup is not whole ($1)",
    remedy: "Take another, and check it: etcdutl snapshot status FILE",
    look: "etcdutl snapshot status /tmp/snap.db",
  },
  {
    id: "etcd-not-lost",
    component: "etcd",
    sign: notLost,
    cause: "etcd did not start on an empty folder: it found data in it",
    remedy: "Something has put the folder back, or etcd keeps its data elsewhere (--data-dir).",
    look: "grep -m1 data-dir /var/log/byhand/etcd.log; ls -lR /var/lib/etcd",
  },
  {
    id: "pod-made-anew",
    component: "kubelet",
    sign: madeAnew,
    cause: "Pod $1 was deleted and made again: it has another uid, and another container, than before",
    remedy: "See who did it. A Pod that nobody deletes outlives its control plane.",
    look: "kubectl get events --field-selector involvedObject.name=$1",
  },
  {
    id: "events-gone",
    component: "kube-apiserver",
    sign: eventsGone,
    cause:
      "there are no events of Pod $1 any more: somebody deleted them, or their time is over (--event-ttl, an hour by default)",
    remedy: "Make the Pod anew to see them: kubectl delete pod $1; kubectl run $1 --image=nginx",
    look: "kubectl get events",
  },
  {
    id: "another-program",
    component: "kubelet",
    sign: anotherProgram,
    cause: "the first process of Pod $1's container is $2, not nginx: the Pod names a command of its own ($3)",
    remedy: "Make it without one: kubectl delete pod $1; kubectl run $1 --image=nginx",
    look: "kubectl get pod $1 -o jsonpath={.spec.containers[*].command}",
  },
  {
    id: "another-page",
    component: "kubelet",
    sign: said(/to contain ['"]Welcome to nginx/),
    cause:
      "nginx answers, with another page than the image's: somebody has changed the file in the container, or another server answers at that address",
    remedy: "Make the Pod anew: its container starts from the image.",
    look: "kubectl exec hello -- cat /usr/share/nginx/html/index.html",
  },
  {
    id: "pod-never-restarts",
    component: "kubelet",
    sign: object("pods", (pod) => {
      const { data } = finished.safeParse(pod)
      const ended = data?.status.containerStatuses.find(({ state }) => (state.terminated?.exitCode ?? 0) !== 0)
      return data?.spec.restartPolicy === "Never" && ended !== undefined
        ? `Pod ${pod.metadata.name}: restartPolicy: Never, exit code ${ended.state.terminated?.exitCode}`
        : undefined
    }),
    cause: "Pod $1 says restartPolicy: Never, so the kubelet lets its container stay dead",
    remedy: "Make it anew without --restart=Never.",
    look: "kubectl get pod $1 -o jsonpath={.spec.restartPolicy}",
  },
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

/** Whether a program runs that no lesson starts yet. */
function runs({ looks }: Observation, program: "kube-controller-manager" | "kube-proxy"): boolean {
  return (looks.get(`pidof ${program}`) ?? "") !== ""
}

/** A container that does not run, or waits to be started again, after it ended so; $1 its Pod, $2 restarts, $3 exit code, $4 its last words. */
function died(how: (ended: NonNullable<Container["ended"]>, words: string) => boolean): Sign {
  // Where nobody complains, one that has just been started once more is looked at between two crashes.
  return (seen) =>
    first(
      containers(seen).filter(
        ({ isRunning, isNew, restarts }) => restarts > 0 && (!isRunning || (isNew && seen.complaint === "")),
      ),
      (container) => {
        const { pod, name, ended, restarts } = container
        const words = lastWords(seen, container)
        if (ended === undefined || !how(ended, words)) return undefined
        return {
          evidence: `${pod}/${name}: exit code ${ended.exitCode}, ${ended.reason}${words === "" ? "" : `: ${words}`}`,
          names: [pod, String(restarts), String(ended.exitCode), words === "" ? "(none)" : words],
        }
      },
    )
}

function notFound(seen: Observation): Shown | undefined {
  return first(containers(seen), ({ pod, waiting, ended, isRunning }) => {
    const shown = isRunning
      ? undefined
      : matched(
          [waiting?.message ?? "", ended?.message ?? ""],
          /exec: \\?"([^"\\]+)\\?": (?:executable file not found|stat \S+: no such file)/,
        )
    return shown === undefined ? undefined : { evidence: shown.evidence, names: [pod, ...(shown.names ?? [])] }
  })
}

/** What should be lost is there: etcd's last start found a store. */
function notLost(seen: Observation): Shown | undefined {
  if (said(/promise resolved .* instead of rejecting/)(seen) === undefined) return undefined
  return matched(
    seen.components.find(({ name }) => name === "etcd")?.log ?? [],
    /recovered v3 backend from snapshot|"msg":"restarting local member"|recovered store from snapshot/,
  )
}

/** Revisions were asked for, and etcd has thrown some away. */
function compacted(seen: Observation): Shown | undefined {
  if (said(/Watcher canceled|required revision has been compacted/)(seen) === undefined) return undefined
  return complainedOf("etcd", /finished scheduled compaction","compact-revision":(\d+)/)(seen)
}

function madeAnew(seen: Observation): Shown | undefined {
  if (said(/uid|expected \{/)(seen) === undefined) return undefined
  return first(seen.api?.pods ?? [], ({ metadata: { name } }) => {
    const uids = [...new Set(eventsOf(seen, name).map(({ uid }) => uid))]
    return uids.length < 2
      ? undefined
      : { evidence: `events of Pod ${name} name the uids ${uids.join(", ")}`, names: [name] }
  })
}

function eventsGone(seen: Observation): Shown | undefined {
  if (said(/Scheduled|Pulling|to deeply equal ArrayContaining|expected \[/)(seen) === undefined) return undefined
  return first(
    containers(seen).filter(({ isRunning }) => isRunning),
    ({ pod }) => (eventsOf(seen, pod).length > 0 ? undefined : { evidence: `no event names Pod ${pod}`, names: [pod] }),
  )
}

function anotherProgram(seen: Observation): Shown | undefined {
  const shown = said(/expected '([\w.-]+)' to be 'nginx'/)(seen)
  return shown === undefined
    ? undefined
    : first(
        containers(seen).filter(({ command }) => command.length > 0),
        ({ pod, command }) => ({
          evidence: `${pod}: command: ${command.join(" ")}`,
          names: [pod, shown.names?.[0], command.join(" ")],
        }),
      )
}

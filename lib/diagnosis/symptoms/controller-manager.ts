import { BlockList, isIPv4 } from "node:net"
import { z } from "zod"
import { nodeOf } from "../containers.ts"
import { withoutLeadership } from "../leadership.ts"
import type { Mismatch } from "../../failures/failure.ts"
import type { ApiObject, Observation, ObservedApi, ObservedComponent } from "../observation.ts"
import { refusedToControllerManager } from "../refusals.ts"
import { publicKeyOf, publicKeysIn, signingKeysIn, verifyingKeysOf } from "../service-account-keys.ts"
import { frozen, portTaken, refusedFlags } from "../signs.ts"
import {
  AT_ONCE,
  componentOf,
  first,
  flagOf,
  holds,
  logged,
  mismatchOf,
  object,
  said,
  SOON,
  symptom,
  UNLESS_RESTARTED,
  type Symptom,
} from "../symptom.ts"
import { isJustAbsent } from "./last-words.ts"

const NAME = "kube-controller-manager"
/** The status with which kube-apiserver refuses a token. */
const REFUSED = 401

/** Problems of kube-controller-manager and of its controllers, the most specific first. */
export const controllerManager: readonly Symptom[] = [
  frozen(NAME),
  ...refusedFlags(NAME, /unknown flag: (--[\w-]+)/),
  portTaken(NAME, /failed to listen on ([\d.]+:\d+): .*address already in use/, "choose another --secure-port"),
  symptom({
    id: "kubeconfig-missing",
    component: NAME,
    sign: (seen) => logged(NAME, /stat (\S+): no such file or directory/, "path")(seen),
    cause: ({ path }) => `kube-controller-manager's kubeconfig ${path} does not exist`,
    remedy: "Write a kubeconfig there, or name another one in --kubeconfig.",
    look: ({ path }) => `ls -l ${path}`,
  }),
  withoutLeadership(NAME, "controller-manager-without-leadership"),
  symptom({
    id: "controller-manager-forbidden",
    component: NAME,
    lasting: UNLESS_RESTARTED,
    sign: (seen) => {
      const shown = refusedToControllerManager(seen)
      if (seen.failure === undefined || shown === undefined) return undefined
      const own = flagOf(componentOf(seen, NAME), "--use-service-account-credentials") === "true"
      return {
        ...shown,
        remedy: own
          ? `Give ${shown.user} the role: kubectl create clusterrolebinding controller-manager --clusterrole=system:kube-controller-manager --user=${shown.user}`
          : "Start it with --use-service-account-credentials=true: RBAC has a role for the ServiceAccount of each controller.",
      }
    },
    // Which request is refused first depends on the moment.
    cause: ({ user }) =>
      `RBAC refuses what kube-controller-manager, which is the user ${user}, needs to do, so its controllers do nothing`,
    remedy: ({ remedy }) => remedy,
    look: ({ review }) => review,
  }),
  symptom({
    id: "controller-switched-off",
    component: NAME,
    lasting: AT_ONCE,
    sign: (seen) => {
      const { api } = seen
      const flag = flagOf(componentOf(seen, NAME), "--controllers")
      const mismatch = mismatchOf(seen)
      if (api === undefined || flag === undefined || mismatch === undefined) return undefined
      return first(Object.entries(works), ([controller, { left, awaits }]) => {
        const object = isOn(controller, flag.split(",")) ? undefined : left(api)
        return object === undefined || !awaits(mismatch, object.name)
          ? undefined
          : { evidence: `--controllers=${flag}; ${object.name} ${object.what}`, controller, flag }
      })
    },
    cause: ({ controller, flag }) =>
      `${controller} is switched off (--controllers=${flag}): ${works[controller]?.does ?? "nothing does its work"}`,
    remedy: "Leave --controllers out: by default, every controller that a cluster needs runs.",
    look: `tr '\\0' '\\n' </proc/$(pidof kube-controller-manager)/cmdline | grep controllers`,
  }),
  symptom({
    id: "root-ca-missing",
    component: NAME,
    lasting: SOON,
    sign: (seen) =>
      first(seen.api?.rootCas ?? [], (map) => {
        const { data } = configMap.safeParse(map)
        const path = flagOf(componentOf(seen, NAME), "--root-ca-file")
        const mismatch = mismatchOf(seen)
        const isAwaited = mismatch !== undefined && awaitsCertificate(mismatch)
        return !isAwaited || path !== undefined || data === undefined || data.data["ca.crt"] !== ""
          ? undefined
          : {
              evidence: `ConfigMap kube-root-ca.crt in ${map.metadata.namespace ?? ""}: ca.crt is empty; kube-controller-manager has no --root-ca-file`,
            }
      }),
    cause:
      "kube-controller-manager has no --root-ca-file, and its kubeconfig does not hold the CA itself: the ConfigMap kube-root-ca.crt is empty, and Pods cannot verify kube-apiserver",
    remedy: "Name the CA that signed kube-apiserver's certificate: --root-ca-file=CA.crt",
    look: "kubectl get configmap kube-root-ca.crt -o yaml",
  }),
  symptom({
    id: "service-account-key-mismatch",
    component: NAME,
    sign: (seen) => {
      const apiserver = componentOf(seen, "kube-apiserver")
      const [path] = signingKeysIn(seen.components)
      const { expected, actual } = mismatchOf(seen) ?? {}
      if (path === undefined || apiserver === undefined || expected !== 200 || actual !== 401) return undefined
      const verifying = verifyingKeysOf(apiserver)
      const texts = verifying.map((one) => publicKeysIn(seen.files[one] ?? ""))
      const [own] = publicKeysIn(seen.looks[publicKeyOf(path)] ?? "")
      // A key that cannot be read may be the right one.
      if (own === undefined || texts.some((keys) => keys.length === 0) || texts.flat().includes(own)) return undefined
      return {
        evidence: `the public key of ${path} is not in --service-account-key-file=${verifying.join(",")}`,
        path,
        verifying: verifying.join(" "),
      }
    },
    cause: ({ path, verifying }) =>
      `kube-controller-manager signs tokens with ${path}, and kube-apiserver verifies them with ${verifying}, which is not the public key of that key`,
    remedy: ({ verifying }) =>
      `Name the private key of ${verifying} in kube-controller-manager's --service-account-private-key-file.`,
    look: ({ path, verifying }) => `openssl pkey -pubout -in ${path}; cat ${verifying}`,
  }),
  symptom({
    id: "service-account-by-hand",
    component: "kube-apiserver",
    sign: (seen) => {
      const { expected, actual } = mismatchOf(seen) ?? {}
      const isRefusalExpected = typeof expected === "object" && expected !== null && "error" in expected
      const [, name] = (typeof actual === "string" ? /^pod\/(\S+) created$/.exec(actual) : null) ?? []
      const pod = seen.api?.pods?.find(({ metadata }) => metadata.name === name)
      const account = served.safeParse(pod).data?.spec.serviceAccountName
      if (!isRefusalExpected || pod === undefined || account === undefined || !isJustAbsent(seen, NAME))
        return undefined
      const namespace = pod.metadata.namespace ?? "default"
      return {
        evidence: `Pod ${pod.metadata.name} in ${namespace}: serviceAccountName: ${account}; no kube-controller-manager runs`,
        account,
        namespace,
      }
    },
    cause: ({ account, namespace }) =>
      `kube-apiserver accepts Pods in the namespace ${namespace}: it has the ServiceAccount ${account} already, which no controller has created`,
    remedy: ({ account, namespace }) => `kubectl delete serviceaccount ${account} -n ${namespace}`,
    look: ({ namespace }) => `kubectl get serviceaccounts -n ${namespace} -o yaml --show-managed-fields`,
  }),
  symptom({
    id: "finalizer-left",
    component: NAME,
    lasting: SOON,
    sign: (seen) =>
      first(seen.api?.pods ?? [], (pod) => {
        const { data } = ending.safeParse(pod)
        // Kubernetes removes its own finalizers.
        const finalizer = data?.metadata.finalizers.find((one) => !/(?:^|\.)(?:k8s|kubernetes)\.io\//.test(one))
        return finalizer === undefined || !isAboutItsEnd(seen, pod)
          ? undefined
          : {
              evidence: `Pod ${pod.metadata.name}: deletionTimestamp: ${pod.metadata.deletionTimestamp ?? ""}, finalizers: ${finalizer}`,
              pod: pod.metadata.name,
              namespace: pod.metadata.namespace ?? "default",
              finalizer,
            }
      }),
    cause: ({ pod, namespace, finalizer }) =>
      `Pod ${pod} in the namespace ${namespace} was deleted and stays, because it has the finalizer ${finalizer}, which no program removes`,
    remedy: ({ pod, namespace }) =>
      `Remove it, if no program needs it: kubectl patch pod ${pod} -n ${namespace} --type=merge -p '{"metadata": {"finalizers": null}}'`,
    look: ({ pod, namespace }) => `kubectl get pod ${pod} -n ${namespace} -o jsonpath={.metadata.finalizers}`,
  }),
  symptom({
    id: "token-not-mounted",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) => {
      const { failure } = seen
      if (failure?.kind !== "command-failed" || said(/serviceaccount\/token'?: No such file/)(seen) === undefined)
        return undefined
      return object("pods", (pod) => {
        const { data } = mounting.safeParse(pod)
        const isMounted = data?.spec.volumes.some(({ projected }) => projected !== undefined)
        return data === undefined || isMounted === true || !failure.argv.includes(pod.metadata.name)
          ? undefined
          : `Pod ${pod.metadata.name}, of the ServiceAccount ${data.spec.serviceAccountName}, has no projected volume`
      })(seen)
    },
    cause: ({ object: pod }) =>
      `Pod ${pod} has no token: it, or its ServiceAccount, has automountServiceAccountToken: false`,
    remedy: ({ object: pod }) =>
      `Remove that field from the ServiceAccount or the Pod, and create the Pod again: kubectl delete pod ${pod}`,
    look: ({ object: pod }) =>
      `kubectl get serviceaccounts,pods -A -o yaml | grep -B5 automount; kubectl get pod ${pod} -A`,
  }),
  symptom({
    id: "cluster-cidr-mismatch",
    component: NAME,
    sign: (seen) =>
      first(seen.api?.pods ?? [], (pod) => {
        const { data } = placed.safeParse(pod)
        const node = seen.api?.nodes?.find(({ metadata }) => metadata.name === data?.spec.nodeName)
        const range = ranged.safeParse(node).data?.spec.podCIDR
        return data === undefined ||
          range === undefined ||
          data.spec.hostNetwork ||
          contains(range, data.status.podIP) ||
          !holds(mismatchOf(seen)?.actual, data.status.podIP)
          ? undefined
          : {
              evidence: `Node ${data.spec.nodeName}: podCIDR: ${range}; Pod ${pod.metadata.name}: podIP: ${data.status.podIP}`,
              node: data.spec.nodeName,
              range,
              address: data.status.podIP,
              flag: flagOf(componentOf(seen, NAME), "--cluster-cidr") ?? "",
            }
      }),
    cause: ({ node, range, address, flag }) =>
      `kube-controller-manager gave Node ${node} the range ${range} (--cluster-cidr=${flag}), and the CNI configuration there gives Pods other addresses, such as ${address}`,
    remedy: ({ node }) =>
      `Let --cluster-cidr contain the subnet of the CNI configuration, or write the Node's range into the CNI configuration. A Node keeps its range: delete it first (kubectl delete node ${node}), and start its kubelet again.`,
    look: "kubectl get nodes -o jsonpath={.items[*].spec.podCIDR}; grep subnet /etc/cni/net.d/*",
  }),
  symptom({
    id: "node-without-range",
    component: NAME,
    lasting: AT_ONCE,
    sign: (seen) => {
      const manager = componentOf(seen, NAME)
      const node = seen.api?.nodes?.find((one) => !ranged.safeParse(one).success)
      const { expected, actual } = mismatchOf(seen) ?? {}
      const awaitsRange = actual === "" && typeof expected === "string" && expected.includes("/")
      return manager?.state !== "running" || node === undefined || !awaitsRange || allocates(manager)
        ? undefined
        : { evidence: `Node ${node.metadata.name} has no spec.podCIDR; ${manager.argv.join(" ")}` }
    },
    cause:
      "kube-controller-manager gives Nodes no ranges of Pod addresses: it does so only with --allocate-node-cidrs=true and --cluster-cidr",
    remedy: "Start it with --allocate-node-cidrs=true and --cluster-cidr=RANGE, such as 10.88.0.0/16.",
    look: `kubectl get nodes -o jsonpath={.items[*].spec.podCIDR}; ps -o args= -C ${NAME}`,
  }),
  symptom({
    id: "rollout-paused",
    component: NAME,
    lasting: AT_ONCE,
    sign: (seen) =>
      !Array.isArray(mismatchOf(seen)?.actual)
        ? undefined
        : object("deployments", (deployment) =>
            paused.safeParse(deployment).success
              ? `Deployment ${deployment.metadata.name}: spec.paused: true`
              : undefined,
          )(seen),
    cause: ({ object: deployment }) =>
      `the rollout of Deployment ${deployment} is paused, so a change of its template creates no new Pods`,
    remedy: ({ object: deployment }) => `kubectl rollout resume deployment/${deployment}`,
    look: ({ object: deployment }) => `kubectl rollout status deployment/${deployment}`,
  }),
]

/** Whether kube-controller-manager gives each Node a range of Pod addresses. */
function allocates(manager: ObservedComponent): boolean {
  return flagOf(manager, "--allocate-node-cidrs") === "true" && flagOf(manager, "--cluster-cidr") !== undefined
}

/** An object that waits for a controller. */
interface Left {
  readonly name: string
  /** What shows that the controller has not done its work, as the end of a sentence about the object. */
  readonly what: string
}

/** What a controller does, and what shows that its work is left undone. */
interface Work {
  /** What happens without it, as a clause. */
  readonly does: string
  /** An object that waits for it; undefined if none does. */
  readonly left: (api: ObservedApi) => Left | undefined
  /** Whether the failed outcome waits for that work. Other outcomes may fail for other reasons. */
  readonly awaits: (mismatch: Mismatch, name: string) => boolean
}

/** Pods should run, and there are none. */
const awaitsPods = ({ expected, actual }: Mismatch) =>
  Array.isArray(expected) && holds(expected, "Running") && Array.isArray(actual) && actual.length === 0
/** The same, or there should be a ReplicaSet's key in etcd: other programs can make Pods. */
const awaitsReplicaSet = (mismatch: Mismatch) =>
  awaitsPods(mismatch) ||
  (holds(mismatch.expected, "/registry/replicasets/") && Array.isArray(mismatch.actual) && mismatch.actual.length === 0)
/** Something should become a text, and is none. */
const awaitsText = ({ actual }: Mismatch) => actual === "" || actual === undefined
/**
 * A certificate should appear, and there is an empty text. Pods run without it, so other outcomes do not wait for it.
 */
const awaitsCertificate = ({ expected, actual }: Mismatch) =>
  typeof expected === "string" && expected.includes("CERTIFICATE") && actual === ""
/** The failed outcome names the object. */
const isNamed = ({ actual }: Mismatch, name: string) => holds(actual, name)

/** The controllers whose absence a lesson can meet. */
const works: Readonly<Record<string, Work>> = {
  "deployment-controller": {
    does: "a Deployment gets no ReplicaSet",
    left: ({ deployments }) => named(deployments, unobserved, "has no status.observedGeneration"),
    awaits: awaitsReplicaSet,
  },
  "replicaset-controller": {
    does: "a ReplicaSet gets no Pods",
    left: ({ replicaSets }) => named(replicaSets, unfilled, "wants Pods, and status.replicas is 0"),
    awaits: awaitsPods,
  },
  "job-controller": {
    does: "a Job gets no Pods",
    left: ({ jobs }) => named(jobs, unbegun, "has no status.startTime"),
    awaits: awaitsText,
  },
  "namespace-controller": {
    does: "a deleted namespace is not emptied",
    left: ({ namespaces }) => named(namespaces, deleted, "has a deletionTimestamp"),
    awaits: isNamed,
  },
  "garbage-collector-controller": {
    does: "objects stay when their owner is deleted",
    left: ({ replicaSets, deployments }) =>
      named(
        deployments && replicaSets?.filter((set) => isOrphan(set, deployments)),
        z.unknown(),
        "belongs to a Deployment that does not exist",
      ),
    awaits: isNamed,
  },
  "taint-eviction-controller": {
    does: "Pods are not evicted from a Node with a NoExecute taint",
    left: ({ nodes }) => tainted(nodes, (taint) => taint.endsWith(":NoExecute")),
    awaits: awaitsText,
  },
  "node-lifecycle-controller": {
    does: "the taint of a new Node is not lifted, and a Node without a kubelet gets none",
    left: ({ nodes }) =>
      tainted(
        nodes?.filter((node) => nodeOf(node).ready?.status === "True"),
        (taint) => taint.startsWith("node.kubernetes.io/not-ready:"),
      ),
    awaits: ({ actual }) => holds(actual, "node.kubernetes.io/not-ready"),
  },
}

const unobserved = z.object({ status: z.object({ observedGeneration: z.undefined().optional() }) })
const unfilled = z.object({
  spec: z.object({ replicas: z.number().min(1) }),
  status: z.object({ replicas: z.literal(0) }),
})
const unbegun = z.object({ status: z.object({ startTime: z.undefined().optional() }) })
const deleted = z.object({ metadata: z.object({ deletionTimestamp: z.string() }) })
const owned = z.object({
  metadata: z.object({ ownerReferences: z.array(z.object({ kind: z.string(), uid: z.string() })) }),
})
const configMap = z.object({ data: z.record(z.string(), z.string()) })
const mounting = z.object({
  spec: z.object({
    serviceAccountName: z.string(),
    volumes: z.array(z.object({ projected: z.unknown().optional() })).default([]),
  }),
})
const ending = z.object({
  metadata: z.object({ deletionTimestamp: z.string(), finalizers: z.array(z.string()) }),
})
const served = z.object({ spec: z.object({ serviceAccountName: z.string() }) })
const placed = z.object({
  spec: z.object({ nodeName: z.string(), hostNetwork: z.boolean().default(false) }),
  status: z.object({ podIP: z.string() }),
})
const ranged = z.object({ spec: z.object({ podCIDR: z.string() }) })
const paused = z.object({ spec: z.object({ paused: z.literal(true) }) })

/** The first object that fits. */
function named(objects: readonly ApiObject[] | undefined, fits: z.ZodType, what: string): Left | undefined {
  const found = objects?.find((one) => fits.safeParse(one).success)
  return found === undefined ? undefined : { name: found.metadata.name, what }
}

/** The first Node that has such a taint. */
function tainted(nodes: readonly ApiObject[] = [], isIt: (taint: string) => boolean): Left | undefined {
  return first(nodes, (node) => {
    const taint = nodeOf(node).taints.find(isIt)
    return taint === undefined ? undefined : { name: node.metadata.name, what: `has the taint ${taint}` }
  })
}

/** Whether an object belongs to a Deployment that does not exist any more. */
function isOrphan(set: ApiObject, deployments: readonly ApiObject[]): boolean {
  const owner = owned.safeParse(set).data?.metadata.ownerReferences.find(({ kind }) => kind === "Deployment")
  return owner !== undefined && !deployments.some(({ metadata }) => metadata.uid === owner.uid)
}

/** Whether --controllers lets a controller run. */
function isOn(controller: string, list: readonly string[]): boolean {
  return !list.includes(`-${controller}`) && (list.includes("*") || list.includes(controller))
}

/** Whether an IPv4 range contains an address. A range that cannot be read contains every address. */
function contains(range: string, address: string): boolean {
  const [base = "", bits] = range.split("/")
  if (!isIPv4(base) || bits === undefined) return true
  const list = new BlockList()
  list.addSubnet(base, Number(bits))
  return list.check(address)
}

/** Whether the failure is that a Pod, or the token of one, is still there. */
function isAboutItsEnd(seen: Observation, { metadata: { name } }: ApiObject): boolean {
  const { failure } = seen
  if (failure?.kind === "command-failed") return failure.argv.join(" ").includes("delete")
  if (failure?.kind === "hung") return failure.command.includes("delete")
  const { actual, expected } = mismatchOf(seen) ?? {}
  return holds(actual, name) || expected === REFUSED
}

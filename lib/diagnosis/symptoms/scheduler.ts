import { z } from "zod"
import { certificate, otherCa, isUnverified } from "../certificates.ts"
import { portOf } from "../../clients/sockets.ts"
import { unscheduled } from "../containers.ts"
import { apiserverAddressOf, apiserverUrlOf, holderOf, hostOf, kubeconfigAt, logPathOf } from "../facts.ts"
import { withoutLeadership } from "../leadership.ts"
import type { Observation } from "../observation.ts"
import { frozen, portTaken, refusedFlags, vanished } from "../signs.ts"
import {
  componentOf,
  event,
  flagOf,
  isUnwell,
  logged,
  symptom,
  AT_ONCE,
  SOON,
  UNLESS_RESTARTED,
  mismatchOf,
  type Symptom,
} from "../symptom.ts"

/** Problems of kube-scheduler, the most specific first. */
export const scheduler: readonly Symptom[] = [
  frozen("kube-scheduler"),
  ...refusedFlags("kube-scheduler", /unknown flag: (--[\w-]+)/),
  portTaken(
    "kube-scheduler",
    /failed to listen on ([\d.]+:\d+): .*address already in use/,
    "choose another --secure-port",
  ),
  symptom({
    id: "kubeconfig-missing",
    component: "kube-scheduler",
    sign: (seen) => logged("kube-scheduler", /stat (\S+): no such file or directory/, "path")(seen),
    cause: ({ path }) => `kube-scheduler's kubeconfig ${path} does not exist`,
    remedy: "Write a kubeconfig there, or name another one in --kubeconfig.",
    look: ({ path }) => `ls -l ${path}`,
  }),
  symptom({
    id: "certificate-key-mismatch",
    component: "kube-scheduler",
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      const shown = logged("kube-scheduler", /tls: private key does not match public key/)(seen)
      const [path, key] = [flagOf(one, "--tls-cert-file"), flagOf(one, "--tls-private-key-file")]
      return shown === undefined || path === undefined || key === undefined ? undefined : { ...shown, path, key }
    },
    cause: ({ path, key }) => `the key ${key} does not belong to the certificate ${path}`,
    remedy: "Name the key that the certificate was made with in --tls-private-key-file.",
    look: ({ path, key }) => `openssl x509 -noout -pubkey -in ${path}; openssl pkey -pubout -in ${key}`,
  }),
  symptom({
    id: "certificate-of-another-ca",
    component: "kube-scheduler",
    lasting: isUnverified,
    sign: (seen) => certificate("kube-scheduler", otherCa)(seen),
    cause: ({ path, caPath }) =>
      `the certificate of kube-scheduler (${path}) was not signed by the CA that clients trust (${caPath})`,
    remedy: "Sign it with that CA.",
    look: ({ path, caPath }) => `openssl verify -CAfile ${caPath} ${path}`,
  }),
  symptom({
    id: "scheduler-elsewhere",
    component: "kube-scheduler",
    lasting: leadsNowhere,
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      const path = flagOf(one, "--kubeconfig") ?? ""
      const server = hostOf(kubeconfigAt(seen, path)?.server)
      if (
        server === undefined ||
        one === undefined ||
        componentOf(seen, "kube-apiserver")?.state !== "running" ||
        portOf(server) === portOf(apiserverAddressOf(seen)) ||
        (seen.failure === undefined && !isUnwell(one))
      )
        return undefined
      const holder = holderOf(seen, portOf(server))
      return { evidence: `${path}: server: ${server}; ${holder} there`, path, server, holder }
    },
    cause: ({ path, server, holder }, seen) =>
      `kube-scheduler's kubeconfig ${path} names ${server}, where ${holder}; this cluster's kube-apiserver is at ${apiserverAddressOf(seen)}`,
    remedy: ({ path }, seen) => `Write this cluster's address into ${path}: server: ${apiserverUrlOf(seen)}`,
    look: ({ path }) => `grep server ${path}; ss -tnp | grep kube-scheduler`,
  }),
  withoutLeadership("kube-scheduler", "scheduler-without-leadership"),
  symptom({
    id: "scheduler-not-running",
    component: "kube-scheduler",
    lasting: UNLESS_RESTARTED,
    sign: (seen) => {
      const waiting = unscheduled(seen)
      return waiting === undefined || vanished(seen, "kube-scheduler") === undefined
        ? undefined
        : {
            evidence: `Pod ${waiting} has no spec.nodeName; there is no process kube-scheduler`,
            pod: waiting,
          }
    },
    cause: ({ pod }) => `kube-scheduler does not run, so Pod ${pod} gets no Node`,
    remedy: "Start it again. Its log says how it ended.",
    look: (_, seen) => `tail ${logPathOf(seen, "kube-scheduler")}`,
  }),
  symptom({
    id: "nodes-cordoned",
    component: "kube-scheduler",
    // The scheduler may be about to say so of the Pod that is waited for.
    lasting: (seen) => (mismatchOf(seen)?.expected === "Unschedulable" ? undefined : AT_ONCE),
    sign: (seen) => {
      const all = seen.api?.nodes ?? []
      const closed = all.filter((node) => cordoned.safeParse(node).success)
      const shown = event(/^FailedScheduling: 0\/(\d+) nodes are available: \1 node\(s\) were unschedulable/)(seen)
      const isForAll = closed.length > 0 && closed.length === all.length
      return seen.failure === undefined || !isForAll || unscheduled(seen) === undefined || shown === undefined
        ? undefined
        : { ...shown, nodes: closed.map(({ metadata }) => metadata.name).join(" ") }
    },
    cause: ({ nodes }) => `every Node is cordoned (spec.unschedulable), so new Pods get no Node: ${nodes}`,
    remedy: ({ nodes }) => `kubectl uncordon ${nodes}`,
    look: "kubectl get nodes; kubectl get events --field-selector reason=FailedScheduling",
  }),
  symptom({
    id: "no-node",
    component: "kube-scheduler",
    // The scheduler may be about to say that there is no Node, and a kubelet may be about to register one.
    lasting: (seen) =>
      mismatchOf(seen)?.expected === "Unschedulable" || componentOf(seen, "kubelet")?.isMeantToBe === true
        ? undefined
        : SOON,
    sign: (seen) => {
      const waiting = unscheduled(seen)
      return seen.failure === undefined || seen.api?.nodes?.length !== 0 || waiting === undefined || isUnstarted(seen)
        ? undefined
        : {
            evidence: `Pod ${waiting} has no spec.nodeName; kubectl get nodes: No resources found`,
            pod: waiting,
          }
    },
    cause: ({ pod }) => `there is no Node that Pod ${pod} could run on`,
    remedy: `Start a kubelet, or create a Node by hand: echo '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "paper"}}' | kubectl create -f -`,
    look: ({ pod }) => `kubectl get nodes; kubectl describe pod ${pod}`,
  }),
]

/** Whether no scheduler should run yet: then no scheduler has looked for a Node. */
function isUnstarted(seen: Observation): boolean {
  const one = componentOf(seen, "kube-scheduler")
  return one === undefined || !one.isMeantToBe || isUnwell(one)
}

const cordoned = z.object({ spec: z.object({ unschedulable: z.literal(true) }) })

/**
 * Lasting: certain if no process listens where the scheduler looks for kube-apiserver, or another kube-apiserver does.
 */
function leadsNowhere(seen: Observation): number | undefined {
  const path = flagOf(componentOf(seen, "kube-scheduler"), "--kubeconfig") ?? ""
  const port = portOf(hostOf(kubeconfigAt(seen, path)?.server) ?? "")
  // Any other program can be a proxy.
  const isProxy = seen.listeners.some(({ local, program }) => portOf(local) === port && program !== "kube-apiserver")
  return port === "" || isProxy ? undefined : AT_ONCE
}

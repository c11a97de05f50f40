import { certificate, otherCa } from "../certificates.ts"
import type { ApiObject, Observation } from "../observation.ts"
import { frozen, goneFlag, holderOf, unknownFlag } from "../signs.ts"
import { componentOf, event, flagOf, isUnwell, logged, type Symptom } from "../symptom.ts"

const UNKNOWN = /unknown flag: (--[\w-]+)/

/** What kube-scheduler lives through, most specific first. */
export const scheduler: readonly Symptom[] = [
  {
    id: "frozen",
    component: "kube-scheduler",
    sign: frozen("kube-scheduler"),
    cause: "kube-scheduler has been stopped (SIGSTOP): its process $1 is there and does nothing",
    remedy: "Let it go on: kill -CONT $1",
    look: "ps -o pid,stat,args -C kube-scheduler",
  },
  {
    id: "removed-flag",
    component: "kube-scheduler",
    sign: goneFlag("kube-scheduler", UNKNOWN),
    cause: "kube-scheduler no longer has the flag $1: it went in $2",
    remedy: "$3",
    look: "kube-scheduler --help",
  },
  {
    id: "unknown-flag",
    component: "kube-scheduler",
    sign: unknownFlag("kube-scheduler", UNKNOWN),
    cause: "kube-scheduler does not know the flag $1",
    remedy: "The nearest that it knows is $2.",
    look: "kube-scheduler --help",
  },
  {
    id: "port-taken",
    component: "kube-scheduler",
    sign: holderOf("kube-scheduler", /failed to listen on ([\d.]+:\d+): .*address already in use/),
    cause: "another process holds $1: $2, pid $3",
    remedy: "Stop that one (kill $3), or choose another --secure-port.",
    look: "ss -tlnp",
  },
  {
    id: "kubeconfig-missing",
    component: "kube-scheduler",
    sign: logged("kube-scheduler", /stat (\S+): no such file or directory/),
    cause: "its kubeconfig $1 is not there",
    remedy: "Write a kubeconfig there, or name another with --kubeconfig.",
    look: "ls -l $1",
  },
  {
    id: "certificate-key-mismatch",
    component: "kube-scheduler",
    sign: logged("kube-scheduler", /tls: private key does not match public key/),
    cause: "its key and its certificate do not belong together",
    remedy: "Name the key that the certificate was made with: --tls-private-key-file beside --tls-cert-file.",
    look: "openssl x509 -noout -pubkey -in CERTIFICATE; openssl pkey -pubout -in KEY",
  },
  {
    id: "certificate-of-another-ca",
    component: "kube-scheduler",
    sign: certificate("kube-scheduler", otherCa),
    cause: "the certificate that kube-scheduler shows ($1) was not signed by the CA that clients trust ($2)",
    remedy: "Have it signed by that CA.",
    look: "openssl verify -CAfile $2 $1",
  },
  {
    id: "scheduler-elsewhere",
    component: "kube-scheduler",
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      const apiserver = componentOf(seen, "kube-apiserver")
      const path = flagOf(one, "--kubeconfig") ?? ""
      const server = /server: *"?\w+:\/\/([^\s/"]+)/.exec(seen.files.get(path) ?? "")?.[1]
      const actual = `${flagOf(apiserver, "--bind-address") ?? "0.0.0.0"}:${flagOf(apiserver, "--secure-port") ?? "6443"}`
      if (
        server === undefined ||
        apiserver?.state !== "running" ||
        port(server) === port(actual) ||
        one === undefined ||
        (seen.complaint === "" && !isUnwell(one))
      )
        return undefined
      const holder = seen.listeners.find(({ local }) => port(local) === port(server))
      return {
        evidence: `${path}: server: ${server}; ${holder === undefined ? "nobody listens there" : `${holder.program}, pid ${holder.pid}, listens there`}`,
        names: [path, server, actual, holder === undefined ? "nobody listens" : `${holder.program} listens`],
      }
    },
    cause: "kube-scheduler's kubeconfig ($1) leads to $2, where $4; this cluster's kube-apiserver is at $3",
    remedy: "Name this cluster's in the file: server: https://$3",
    look: "grep server $1; ss -tnp | grep kube-scheduler",
  },
  {
    id: "scheduler-without-leadership",
    component: "kube-scheduler",
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      const holder = holderIdentity(
        seen.api?.leases.find(
          ({ metadata }) => metadata.name === "kube-scheduler" && metadata.namespace === "kube-system",
        ),
      )
      if (
        seen.complaint === "" ||
        one?.state !== "running" ||
        flagOf(one, "--leader-elect") === "false" ||
        holder === undefined ||
        holder === "" ||
        holder.startsWith(`${seen.hostname}_`)
      )
        return undefined
      return { evidence: `lease kube-system/kube-scheduler: holderIdentity: ${holder}`, names: [holder] }
    },
    cause: "kube-scheduler stands by: the lease says that $1 leads, and no scheduler on this machine is called so",
    remedy:
      "Where that one is dead, its lease runs out, or delete it: kubectl delete lease kube-scheduler -n kube-system. A scheduler alone can do without: --leader-elect=false.",
    look: "kubectl get lease kube-scheduler -n kube-system -o yaml",
  },
  {
    id: "scheduler-not-running",
    component: "kube-scheduler",
    sign: (seen) => {
      const one = componentOf(seen, "kube-scheduler")
      const waiting = seen.api?.pods.find((pod) => nodeNameOf(pod) === undefined)
      if (
        one?.state !== "absent" ||
        !one.isMeantToBe ||
        /^kube-scheduler (?:exited|was)/.test(seen.complaint) ||
        waiting === undefined
      )
        return undefined
      return {
        evidence: `Pod ${waiting.metadata.name} has no spec.nodeName; there is no process kube-scheduler`,
        names: [waiting.metadata.name],
      }
    },
    cause: "kube-scheduler does not run: Pod $1 waits for a Node, and nobody looks for one",
    remedy: "Start it again. Its log tells how it ended.",
    look: "tail /var/log/byhand/kube-scheduler.log",
  },
  {
    id: "nodes-cordoned",
    component: "kube-scheduler",
    sign: (seen) => {
      const cordoned = (seen.api?.nodes ?? []).filter((node) => isCordoned(node))
      const shown = event(/^FailedScheduling: (.*unschedulable.*)/)(seen)
      return seen.complaint === "" ||
        cordoned.length === 0 ||
        cordoned.length < (seen.api?.nodes.length ?? 0) ||
        shown === undefined
        ? undefined
        : { ...shown, names: [cordoned.map(({ metadata }) => metadata.name).join(", ")] }
    },
    cause: "no Node takes new Pods: $1 is cordoned (spec.unschedulable)",
    remedy: "kubectl uncordon $1",
    look: "kubectl get nodes; kubectl get events --field-selector reason=FailedScheduling",
  },
  {
    id: "no-node",
    component: "kube-scheduler",
    sign: (seen) => {
      const waiting = seen.api?.pods.find((pod) => nodeNameOf(pod) === undefined)
      return seen.complaint === "" ||
        seen.api === undefined ||
        seen.api.nodes.length > 0 ||
        waiting === undefined ||
        isUnstarted(seen)
        ? undefined
        : {
            evidence: `Pod ${waiting.metadata.name} has no spec.nodeName; kubectl get nodes: No resources found`,
            names: [waiting.metadata.name],
          }
    },
    cause: "there is no Node that Pod $1 could be bound to",
    remedy: "Start a kubelet, or make a Node by hand: kubectl create -f fixtures/manifests/node.yaml",
    look: "kubectl get nodes; kubectl describe pod $1",
  },
]

/** Whether no scheduler is meant to run yet: then nobody has looked for a Node. */
function isUnstarted(seen: Observation): boolean {
  const one = componentOf(seen, "kube-scheduler")
  return one === undefined || (one.state === "absent" && !one.isMeantToBe) || isUnwell(one)
}

function port(address: string): string {
  return address.split(":").at(-1) ?? ""
}

const fieldOf = (object: ApiObject | undefined, field: string): unknown => {
  const spec = object?.["spec"]
  return typeof spec === "object" && spec !== null ? (spec as Readonly<Record<string, unknown>>)[field] : undefined // What the API answers is read field by field.
}
const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined)
const nodeNameOf = (pod: ApiObject) => textOf(fieldOf(pod, "nodeName"))
const holderIdentity = (lease: ApiObject | undefined) => textOf(fieldOf(lease, "holderIdentity"))
const isCordoned = (node: ApiObject) => fieldOf(node, "unschedulable") === true

import { first } from "../containers.ts"
import type { Observation } from "../observation.ts"
import { frozen, goneFlag, holderOf, unknownFlag } from "../signs.ts"
import {
  complainedOf,
  componentOf,
  flagOf,
  logged,
  matched,
  said,
  type Shown,
  type Sign,
  type Symptom,
} from "../symptom.ts"
import { containerdConfig } from "./containerd.ts"

const UNKNOWN = /unknown flag: (--[\w-]+)/

/** What the kubelet lives through, most specific first. */
export const kubelet: readonly Symptom[] = [
  {
    id: "frozen",
    component: "kubelet",
    sign: frozen("kubelet"),
    cause: "the kubelet has been stopped (SIGSTOP): its process $1 is there and does nothing",
    remedy: "Let it go on: kill -CONT $1",
    look: "ps -o pid,stat,args -C kubelet",
  },
  {
    id: "removed-flag",
    component: "kubelet",
    sign: goneFlag("kubelet", UNKNOWN),
    cause: "the kubelet no longer has the flag $1: it went in $2",
    remedy: "$3",
    look: "kubelet --help",
  },
  {
    id: "unknown-flag",
    component: "kubelet",
    sign: unknownFlag("kubelet", UNKNOWN),
    cause: "the kubelet does not know the flag $1",
    remedy: "The nearest that it knows is $2. Many settings are fields of its --config file.",
    look: "kubelet --help",
  },
  {
    id: "config-missing",
    component: "kubelet",
    sign: logged("kubelet", /failed to read kubelet config file.*open (\S+?): no such file or directory/),
    cause: "its configuration $1 is not there",
    remedy: "Write a KubeletConfiguration there, or name another with --config.",
    look: "ls -l $1",
  },
  {
    id: "config-unparsable",
    component: "kubelet",
    sign: logged("kubelet", /failed to load Kubelet config file ([^\s,]+), error failed to decode: (.*?)"?$/),
    cause: "its configuration $1 cannot be read: $2",
    remedy: "Mend that line; in YAML the indentation counts.",
    look: "cat -n $1",
  },
  {
    id: "kubeconfig-missing",
    component: "kubelet",
    sign: logged("kubelet", /invalid kubeconfig: stat (\S+): no such file or directory/),
    cause: "its kubeconfig $1 is not there",
    remedy: "Write a kubeconfig there, or name another with --kubeconfig.",
    look: "ls -l $1",
  },
  {
    id: "runtime-elsewhere",
    component: "kubelet",
    sign: runtimeElsewhere,
    cause: "the kubelet looks for the container runtime on $1; containerd listens on $2",
    remedy: "containerRuntimeEndpoint: unix://$2",
    look: "grep containerRuntimeEndpoint /etc/kubernetes/kubelet.yaml; ss -xlp | grep containerd",
  },
  {
    id: "runtime-unreachable",
    component: "kubelet",
    sign: logged("kubelet", /validate CRI v1 runtime API for endpoint \\?"([^"\\]+)/),
    cause: "no container runtime answers at $1",
    remedy: "Start containerd first. Its log tells how it ended.",
    look: "ls -l /run/containerd; tail /var/log/byhand/containerd.log",
  },
  {
    id: "cgroup-v1-refused",
    component: "kubelet",
    sign: logged("kubelet", /(kubelet is configured to not run on a host using cgroup v1)/),
    cause: "this host has cgroup v1, which the kubelet refuses since Kubernetes 1.35 unless it is told otherwise",
    remedy:
      "Set failCgroupV1: false in its --config file, for as long as that counts; better boot the host with cgroup v2.",
    look: "stat -fc %T /sys/fs/cgroup",
  },
  {
    id: "cgroup-driver",
    component: "kubelet",
    sign: logged("kubelet", /(systemd not running on this host, cannot use systemd cgroups manager)/),
    cause:
      "it was told to let systemd manage cgroups, and no systemd runs here; the kubelet takes the driver from containerd (SystemdCgroup), and its own cgroupDriver only where containerd does not tell",
    remedy: "Set SystemdCgroup = false in containerd's configuration, and cgroupDriver: cgroupfs in the kubelet's.",
    look: "grep -n SystemdCgroup /etc/containerd/config.toml; grep -n cgroupDriver /etc/kubernetes/kubelet.yaml; ps -p 1",
  },
  {
    id: "swap-on",
    component: "kubelet",
    sign: logged("kubelet", /(running with swap on is not supported[^"]*)/),
    cause: "this host swaps, and the kubelet was told to refuse that (failSwapOn is true by default)",
    remedy: "Turn swap off: swapoff -a, and take it out of /etc/fstab. Or set failSwapOn: false in its --config file.",
    look: "cat /proc/swaps",
  },
  {
    id: "port-taken",
    component: "kubelet",
    sign: holderOf(
      "kubelet",
      /Failed to (?:listen and serve|start healthz server)" err="listen tcp ([\d.]+:\d+): bind: address already in use/,
    ),
    cause: "another process holds $1: $2, pid $3",
    remedy: "Stop that one (kill $3), or give the kubelet another port in its --config file.",
    look: "ss -tlnp",
  },
  {
    id: "certificate-key-mismatch",
    component: "kubelet",
    sign: logged("kubelet", /tls: private key does not match public key/),
    cause: "its key and its certificate do not belong together",
    remedy: "Name the key that the certificate was made with: tlsPrivateKeyFile beside tlsCertFile.",
    look: "grep tls /etc/kubernetes/kubelet.yaml",
  },
  {
    id: "file-missing",
    component: "kubelet",
    sign: logged("kubelet", /failed to run Kubelet: .*?open (\/\S+?): no such file or directory/),
    cause: "its configuration names $1, which is not there",
    remedy: "Make the file, or name the right one.",
    look: "ls -l $1; grep -n $1 /etc/kubernetes/kubelet.yaml",
  },
  {
    id: "kubelet-standalone",
    component: "kubelet",
    sign: (seen) => {
      const one = componentOf(seen, "kubelet")
      if (one?.state !== "running" || flagOf(one, "--kubeconfig") !== undefined) return undefined
      return {
        evidence: one.log.find((line) => line.includes("tandalone mode")) ?? `${one.argv.join(" ")}: no --kubeconfig`,
      }
    },
    cause: "the kubelet runs on its own (standalone): nobody told it of a kube-apiserver, so it registers no Node",
    remedy: "Give it a kubeconfig: --kubeconfig=/root/.kube/config",
    look: "ps -o args= -C kubelet",
  },
  {
    id: "node-name-taken",
    component: "kubelet",
    sign: (seen) => {
      const one = componentOf(seen, "kubelet")
      if (one === undefined || one.state !== "absent" || one.isMeantToBe || said(/not to contain/)(seen) === undefined)
        return undefined
      return seen.api?.nodes.some(({ metadata }) => metadata.name === seen.hostname) === true
        ? { evidence: `kubectl get nodes: ${seen.hostname}`, names: [seen.hostname] }
        : undefined
    },
    cause:
      "there is a Node $1 already, though no kubelet runs on this machine yet: it is another machine's of the same host name, or one that was left",
    remedy:
      "Give one of the two another host name (or --hostname-override); delete a Node that was left: kubectl delete node $1",
    look: "kubectl get node $1 -o wide",
  },
  {
    id: "node-ip",
    component: "kubelet",
    sign: complainedOf("kubelet", /failed to validate nodeIP: node IP: \\?"([\d.a-f:]+)\\?" not found/),
    cause: "the kubelet was told an address ($1) that this machine does not have",
    remedy: "Give it one of this machine's: --node-ip, or none.",
    look: "ip -brief address",
  },
  {
    id: "kubelet-lets-strangers-in",
    component: "kubelet",
    sign: configured(/^.*anonymous: *\{ *enabled: *true.*$/m),
    cause:
      "the kubelet takes whoever comes for a known user (authentication.anonymous.enabled: true), and its authorization lets everybody do everything",
    remedy: "Set anonymous: { enabled: false }.",
    look: "curl -k https://127.0.0.1:10250/pods",
  },
  {
    id: "lease-renewed-seldom",
    component: "kubelet",
    sign: (seen) => {
      const shown = configured(/^nodeLeaseDurationSeconds: *(\d+).*$/m)(seen)
      const seconds = Number(shown?.names?.[0] ?? 0)
      return shown === undefined || seconds <= 40
        ? undefined
        : { evidence: shown.evidence, names: [String(seconds), String(seconds / 4)] } // 40 s is the default.
    },
    cause:
      "the kubelet's lease counts for $1 s, so it renews it only every $2 s: for that long nobody learns that the Node has died",
    remedy: "Set a shorter nodeLeaseDurationSeconds; 40 is the default.",
    look: "kubectl get lease -n kube-node-lease -o yaml --watch",
  },
  {
    id: "kubelet-tells-others",
    component: "kubelet",
    sign: (seen) => {
      const endpoint = configured(/^tracing: .*endpoint: *"?([\w.:-]+)/m)(seen)
      const called = seen.connections.find(
        ({ pid, peer }) => pid === componentOf(seen, "kubelet")?.pid && peer === endpoint?.names?.[0],
      )
      return called === undefined
        ? undefined
        : { evidence: `ss -tnp: ${called.local} to ${called.peer} kubelet,pid=${called.pid}`, names: [called.peer] }
    },
    cause: "the kubelet is connected to $1 too, where it sends traces (tracing.endpoint in its configuration)",
    remedy: "Take tracing out of its --config file, if that is not wanted.",
    look: "ss -tnp | grep kubelet",
  },
  {
    id: "kubelet-refuses-apiserver",
    component: "kubelet",
    sign: refusesApiserver,
    cause: "the kubelet refuses kube-apiserver as a stranger: kube-apiserver was given no certificate to show it",
    remedy:
      "Start kube-apiserver with --kubelet-client-certificate and --kubelet-client-key, signed by the CA that the kubelet trusts (clientCAFile).",
    look: "tr '\\0' '\\n' </proc/$(pidof kube-apiserver)/cmdline | grep kubelet",
  },
  {
    id: "kubelet-not-found",
    component: "kubelet",
    sign: said(/dial tcp: lookup (\S+?)(?: on \S+)?: (no such host|.*misbehaving|Temporary failure.*)/),
    cause: "kube-apiserver calls the kubelet by its Node's name, $1, and cannot find out that name's address",
    remedy:
      "Let the name be known (/etc/hosts), or start kube-apiserver with --kubelet-preferred-address-types=InternalIP.",
    look: "getent hosts $1",
  },
  {
    id: "node-without-kubelet",
    component: "kubelet",
    sign: (seen) =>
      first(seen.api?.nodes ?? [], ({ metadata: { name } }) => {
        const isOnlyPaper =
          name !== seen.hostname &&
          flagOf(componentOf(seen, "kubelet"), "--hostname-override") !== name &&
          /\/registry\/minions\/|node\//.test(seen.complaint) &&
          seen.api?.leases.every(
            (lease) => lease.metadata.name !== name || lease.metadata.namespace !== "kube-node-lease",
          ) === true
        return isOnlyPaper && componentOf(seen, "kubelet")?.state === "running"
          ? { evidence: `Node ${name}; no lease ${name} in kube-node-lease`, names: [name] }
          : undefined
      }),
    cause: "there is a Node $1 that no kubelet stands for: nobody has ever renewed a lease for it",
    remedy: "Delete it: kubectl delete node $1",
    look: "kubectl get nodes; kubectl get leases -n kube-node-lease",
  },
]

/** The file that the kubelet was given with --config; the names are what the pattern catches. */
function configured(line: RegExp): Sign {
  return (seen) => {
    const path = flagOf(componentOf(seen, "kubelet"), "--config") ?? ""
    const found = line.exec(seen.files.get(path) ?? "")
    return found === null ? undefined : { evidence: `${path}: ${found[0].trim()}`, names: found.slice(1) }
  }
}

function runtimeElsewhere(seen: Observation): Shown | undefined {
  const looked = logged("kubelet", /validate CRI v1 runtime API for endpoint \\?"(?:unix:\/\/)?([^"\\]+)/)(seen)
  const wanted = looked?.names?.[0]
  const actual = /^\s*address = "([^"]+)"/m.exec(containerdConfig(seen).text)?.[1]
  if (
    looked === undefined ||
    wanted === undefined ||
    actual === undefined ||
    wanted === actual ||
    componentOf(seen, "containerd")?.state !== "running"
  )
    return undefined
  return { evidence: looked.evidence, names: [wanted, actual] }
}

function refusesApiserver(seen: Observation): Shown | undefined {
  const refused = matched(
    seen.complaint.split("\n"),
    /(You must be logged in to the server|the server has asked for the client to provide credentials|Unauthorized|--cert undefined)/,
  )
  const apiserver = componentOf(seen, "kube-apiserver")
  return refused === undefined ||
    apiserver?.state !== "running" ||
    flagOf(apiserver, "--kubelet-client-certificate") !== undefined
    ? undefined
    : refused
}

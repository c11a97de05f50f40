import type { ComponentName } from "../components/component.ts"

/** What is wrong, why, and what to type. */
export interface Finding {
  readonly id: string
  readonly cause: string
  readonly remedy: string
  /** The line that gave it away. */
  readonly evidence: string
}

interface Symptom {
  readonly id: string
  readonly component: ComponentName
  readonly line: RegExp
  /** A clause that finishes "NAME exited: …"; $1 stands for what the line names. */
  readonly cause: string
  readonly remedy: string
}

/** Most specific first. */
const symptoms: readonly Symptom[] = [
  { id: "port-taken", component: "etcd", line: /listen tcp ([\d.]+:\d+): bind: address already in use/,
    cause: "another process holds $1", remedy: "See which with: ss -tlnp. Stop it, or give etcd another --listen-client-urls." },
  { id: "data-folder-not-writable", component: "etcd", line: /cannot access data directory.*?: (.*permission denied)/,
    cause: "its data folder cannot be written ($1)", remedy: "Give etcd a folder of its own: --data-dir." },
  { id: "port-taken", component: "kube-apiserver", line: /failed to create listener: failed to listen on ([\d.]+:\d+)/,
    cause: "another process holds $1", remedy: "See which with: ss -tlnp. Stop it, or choose another --secure-port." },
  { id: "etcd-unreachable", component: "kube-apiserver", line: /dial tcp ([\d.]+:\d+): connect: connection refused/,
    cause: "it cannot reach etcd at $1", remedy: "Start etcd first, or check --etcd-servers." },
  { id: "unknown-flag", component: "kube-apiserver", line: /unknown flag: (--[\w-]+)/,
    cause: "it does not know the flag $1", remedy: "Check the spelling, and whether this version still has it: kube-apiserver --help." },
  { id: "service-account-flags", component: "kube-apiserver", line: /(service-account-issuer is a required flag|service-account-signing-key-file.*required)/,
    cause: "the service-account flags are missing ($1)", remedy: "Give it --service-account-issuer, --service-account-key-file and --service-account-signing-key-file." },
  { id: "token-file", component: "kube-apiserver", line: /open (\S*tokens?\S*): no such file or directory/,
    cause: "its token file $1 is not there", remedy: "Write TOKEN,USER,UID into it and name it with --token-auth-file." },
  { id: "kubeconfig-missing", component: "kube-scheduler", line: /stat (\S+): no such file or directory/,
    cause: "its kubeconfig $1 is not there", remedy: "Write a kubeconfig there, or name another with --kubeconfig." },
  { id: "unknown-flag", component: "kubelet", line: /unknown flag: (--[\w-]+)/,
    cause: "it does not know the flag $1", remedy: "Many flags became fields of its --config file: kubelet --help." },
  { id: "runtime-unreachable", component: "kubelet", line: /validate CRI v1 runtime API for endpoint \\?"([^"\\]+)/,
    cause: "no container runtime answers at $1", remedy: "Start containerd first, or check containerRuntimeEndpoint." },
  { id: "cgroup-v1-refused", component: "kubelet", line: /(cgroup v1 support is (?:deprecated|unsupported)|configured to not run on a host using cgroup v1)/,
    cause: "this host has cgroup v1", remedy: "Set failCgroupV1: false in its --config file." },
]

/** The first known symptom in a component's log, or undefined where none fits. */
export function diagnose(component: ComponentName, log: readonly string[]): Finding | undefined {
  for (const symptom of symptoms) {
    if (symptom.component !== component) continue
    for (const line of log) {
      const match = symptom.line.exec(line)
      if (match !== null) return { id: symptom.id, cause: symptom.cause.replace("$1", match[1] ?? ""), remedy: symptom.remedy, evidence: line }
    }
  }
  return undefined
}

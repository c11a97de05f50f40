import type { ComponentName } from "../components/registry.ts"
import type { TcpSocket } from "../clients/sockets.ts"
import type { Failure, ScriptPlace } from "../failures/failure.ts"

/** What can be seen of a component, whichever program started it. */
export interface ObservedComponent {
  readonly name: ComponentName
  /**
   * absent: it has no process. stopped: SIGSTOP has frozen its process. running: it has a process; `answer` says
   * whether that answers.
   */
  readonly state: "absent" | "running" | "stopped"
  /** Whether it should run now; the absence of one that should not explains nothing. */
  readonly isMeantToBe: boolean
  /** Whether an earlier process of it had another log. */
  readonly hasRunBefore?: boolean
  /** undefined where it does not run, or has no address that can be asked. */
  readonly answer: Answer | undefined
  /** 0 where it is absent. */
  readonly pid: number
  /** The command line of its process; of its last process where it is absent and that is known. */
  readonly argv: readonly string[]
  /** Whether no process of it was seen: then `argv` is the command in the learner's script, with nothing expanded. */
  readonly isArgvFromScript?: boolean
  /** Those variables of its environment that are settings. */
  readonly env?: Readonly<Record<string, string>>
  /** Where relative paths begin. */
  readonly cwd?: string
  /** Lines of its log since its last start. */
  readonly log: readonly string[]
  readonly logPath: string
}

/** The answer to a component's health query. */
export interface Answer {
  readonly isWell: boolean
  /** "GET /readyz on port 6443: 500 …", "GET /readyz on port 6443: connect ECONNREFUSED 127.0.0.1:6443", … */
  readonly text: string
}

/** An object of the API, as kube-apiserver returns it; its fields are checked where they are read. */
export interface ApiObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string | undefined
    readonly uid?: string | undefined
    readonly creationTimestamp?: string | undefined
    readonly deletionTimestamp?: string | undefined
    readonly labels?: Readonly<Record<string, string>> | undefined
  }
  readonly [field: string]: unknown
}

/**
 * What kube-apiserver answers to an administrator. A list is missing if it cannot be read: then nothing is known of
 * these objects, also not that there are none. Old recordings lack lists that were not read then.
 */
export interface ObservedApi {
  /** Such as v1.37.2. */
  readonly version: string
  readonly namespaces?: readonly ApiObject[] | undefined
  readonly nodes?: readonly ApiObject[] | undefined
  readonly pods?: readonly ApiObject[] | undefined
  readonly events?: readonly ApiObject[] | undefined
  readonly deployments?: readonly ApiObject[] | undefined
  readonly replicaSets?: readonly ApiObject[] | undefined
  readonly services?: readonly ApiObject[] | undefined
  readonly leases?: readonly ApiObject[] | undefined
  /** Without those that kube-apiserver makes. */
  readonly clusterRoleBindings?: readonly ApiObject[] | undefined
  readonly certificateSigningRequests?: readonly ApiObject[] | undefined
  readonly jobs?: readonly ApiObject[] | undefined
  /** The ConfigMap kube-root-ca.crt of each namespace. */
  readonly rootCas?: readonly ApiObject[] | undefined
  readonly endpointSlices?: readonly ApiObject[] | undefined
  /** The ConfigMaps with CoreDNS' configuration. */
  readonly corefiles?: readonly ApiObject[] | undefined
}

/**
 * Everything that was seen of a machine at one moment. Findings are matched against it, and against nothing else.
 * It is plain JSON, so that it can be recorded.
 */
export interface Observation {
  readonly hostname: string
  readonly components: readonly ObservedComponent[]
  readonly listeners: readonly TcpSocket[]
  readonly connections: readonly TcpSocket[]
  /** undefined where kube-apiserver does not answer, or lets no administrator in. */
  readonly api?: ObservedApi | undefined
  /** The kubeconfig that kubectl reads. */
  readonly kubeconfigPath: string
  /**
   * Texts of files by path: those that command lines name, CNI configurations, containerd's configuration, the
   * kubeconfig. No private keys.
   */
  readonly files: Readonly<Record<string, string>>
  /** What commands print, by the command: df, ip route, … */
  readonly looks: Readonly<Record<string, string>>
  /**
   * The commands that the learner's scripts do not come past; none for a cluster without scripts. Missing in recordings
   * from before they were looked at.
   */
  readonly waiting?: readonly ScriptPlace[]
  /** The machines whose links the lesson has cut, delayed or limited; missing if there are none. */
  readonly changedLinks?: readonly string[]
  /** The flags with which the outcome has started components, such as a small quota; missing if there are none. */
  readonly changedFlags?: readonly string[]
  /** What went wrong; undefined where the cluster is only examined. */
  readonly failure?: Failure | undefined
}

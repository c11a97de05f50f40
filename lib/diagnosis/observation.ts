import type { ComponentName } from "../components/component.ts"
import type { Failure } from "../failures/failure.ts"
import type { TcpSocket } from "../clients/sockets.ts"

/** What there is to see of a component, whoever started it. */
export interface ObservedComponent {
  readonly name: ComponentName
  /** absent: no such process. stopped: SIGSTOP has frozen it. running: it has a process; whether that answers is another matter. */
  readonly state: "absent" | "running" | "stopped"
  /** Whether whoever looks has ended it, or not yet started it: its absence explains nothing then. */
  readonly isMeantToBe: boolean
  /** undefined where it is not started yet, or says nothing of it. */
  readonly answer: Answer | undefined
  /** 0 where it is absent. */
  readonly pid: number
  /** The command line of its process; of the last one where it is absent and that is known. */
  readonly argv: readonly string[]
  /** Those variables of its environment that are settings. */
  readonly env?: Readonly<Record<string, string>>
  /** Where relative paths begin. */
  readonly cwd?: string
  /** Lines of its log since its last start. */
  readonly log: readonly string[]
  readonly logPath: string
}

/** What came back from where a component tells whether it is well. */
export interface Answer {
  readonly isWell: boolean
  /** "GET https://127.0.0.1:6443/readyz: 500", "connect ECONNREFUSED 127.0.0.1:6443", … */
  readonly text: string
}

/** An object of the API, as it answers; what of it is read is checked where it is read. */
export interface ApiObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string | undefined
    readonly creationTimestamp?: string | undefined
    readonly deletionTimestamp?: string | undefined
    readonly labels?: Readonly<Record<string, string>> | undefined
  }
  readonly [field: string]: unknown
}

/** What kube-apiserver answers to an administrator. */
export interface ObservedApi {
  /** Such as v1.37.2. */
  readonly version: string
  readonly namespaces: readonly ApiObject[]
  readonly nodes: readonly ApiObject[]
  readonly pods: readonly ApiObject[]
  readonly events: readonly ApiObject[]
  readonly deployments: readonly ApiObject[]
  readonly replicaSets: readonly ApiObject[]
  readonly services: readonly ApiObject[]
  readonly leases: readonly ApiObject[]
}

/** Everything that was looked at at one moment, so that symptoms are matched against what there is. */
export interface Observation {
  readonly hostname: string
  readonly components: readonly ObservedComponent[]
  readonly listeners: readonly TcpSocket[]
  readonly connections: readonly TcpSocket[]
  /** undefined where nobody answers, or nobody lets us in. */
  readonly api: ObservedApi | undefined
  /** Texts of the files that command lines name, and of those in the folders where components look: CNI configurations, containerd's, the kubeconfig. */
  readonly files: ReadonlyMap<string, string>
  /** What commands of a person's kind print, by what is typed: df, swapon, the folders of CNI, … */
  readonly looks: ReadonlyMap<string, string>
  /** What went wrong; undefined where the cluster is only looked at. */
  readonly failure: Failure | undefined
  /** What went wrong for whoever asks: the text of the failed assertion or command. Empty where nobody complains. */
  readonly complaint: string
}

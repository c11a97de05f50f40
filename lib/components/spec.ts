import type { ToolName } from "../binaries/versions.ts"
import type { ApiserverSettings } from "./apiserver.ts"
import type { Component } from "./component.ts"
import type { Probe } from "./probe.ts"
import type { Address } from "./settings/address.ts"
import type { Files } from "./settings/files.ts"
import type { Started } from "./settings/flags.ts"

/** What a machine must provide before a component can run on it. containers: cgroups, mounts and namespaces. images: the lessons' images. */
export type MachineFeature = "containers" | "images"

/** What our own cluster knows when it describes its components. */
export interface ClusterFacts {
  /** The administrator's bearer token; "$TOKEN" in a transcript. */
  readonly token: string
  /** The Node's address, which must not be loopback; "$NODE_IP" in a transcript. */
  readonly nodeIp: string
  /** The full name of the image that holds a Pod's namespaces open. */
  readonly pauseImage: string
  /** The full names of the images whose archives are on the machine. */
  readonly images: readonly string[]
  /** Whether this machine may lower the OOM score of a process (CAP_SYS_RESOURCE). */
  readonly mayAdjustOomScore: boolean
}

/** How far the minor version of a program may be from that of kube-apiserver. https://kubernetes.io/releases/version-skew-policy/ */
export interface Skew {
  readonly behind: number
  readonly ahead: number
  /** What is supported, as the end of a sentence. */
  readonly supported: string
}

/** What the settings of every component tell: its flags, its environment and its configuration files, as one. */
export interface Settings {
  /** Where it listens; undefined for a component that is reached through a unix socket. */
  readonly address: Address | undefined
  /** The kubeconfig with which it reaches kube-apiserver; undefined where it has none. */
  readonly kubeconfig?: string | undefined
}

/** The settings of other components that a probe depends on. */
export interface Peers {
  readonly apiserver?: ApiserverSettings | undefined
}

/** Everything that the project knows about one component. The list of all specs is in registry.ts. */
export interface ComponentSpec<Name extends string = string, Own extends Settings = Settings> {
  readonly name: Name
  /** The file name of the program that its process runs. */
  readonly program: ToolName
  /** The word by which the name of a start script tells that it starts this component. */
  readonly scriptWord: string
  /** The components that must run before this one can become ready. */
  readonly after: readonly string[]
  /** Whether it waits by itself for the components in `after`, so that all may be started at the same time. */
  readonly isPatient?: boolean
  /** What its machine must provide. */
  readonly requires: readonly MachineFeature[]
  /** Whether the course runs it, so that no learner has to start it. */
  readonly isProvided?: boolean
  /** Whether it may start long before the lesson that needs it: no earlier lesson can see a difference. */
  readonly startsAhead?: boolean
  /** The programs that a machine is given with it: its own, and what people look at it with. */
  readonly tools: readonly ToolName[]
  /** The component of our own cluster. */
  readonly describe: (facts: ClusterFacts) => Component
  /** Reads its settings, from wherever it reads them itself. */
  settings(started: Started, files: Files): Own
  /** The one question that tells whether it is ready and well. */
  probe(settings: Own, peers: Peers): Probe
  /** What does not work while it does not run, as a clause. */
  readonly absence: string
  /** undefined where its version is not tied to that of kube-apiserver. */
  readonly skew?: Skew
}

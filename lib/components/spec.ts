import type { ToolName } from "../binaries/versions.ts"
import type { ApiserverSettings } from "./apiserver.ts"
import type { Component } from "./component.ts"
import type { Probe } from "./probe.ts"
import type { ConfigVersion, Removed } from "./removed/removed.ts"
import type { Address } from "./settings/address.ts"
import type { Files } from "./settings/files.ts"
import type { Started } from "./settings/flags.ts"

/**
 * A feature that a component can require of its machine. containers: cgroups, mounts and namespaces. images: the images
 * of the lessons.
 */
export type MachineFeature = "containers" | "images"

/** The facts from which our own cluster describes its components. */
export interface ClusterFacts {
  /** The administrator's bearer token; "$TOKEN" in a transcript. */
  readonly token: string
  /** The key with which kube-apiserver encrypts Secrets, in base64; "$ENCRYPTION_KEY" in a transcript. */
  readonly encryptionKey: string
  /** The token with which a new machine requests its certificate, ID.SECRET; "$BOOTSTRAP_TOKEN" in a transcript. */
  readonly bootstrapToken: string
  /** The name of the machine, which is the name of its Node too; "$NODE" in a transcript. */
  readonly node: string
  /** The Node's address, which must not be loopback; "$NODE_IP" in a transcript. */
  readonly nodeIp: string
  /** The full name of the pause image, whose container holds the namespaces of a Pod. */
  readonly pauseImage: string
  /** The full names of the images whose archives are on the machine. */
  readonly images: readonly string[]
  /** Whether this machine may lower the OOM score of a process (CAP_SYS_RESOURCE). */
  readonly mayAdjustOomScore: boolean
}

/** Facts of no particular cluster, for those who look only at the flags of a description. */
export const sampleFacts: ClusterFacts = {
  token: "t",
  encryptionKey: "k",
  bootstrapToken: "b.b",
  node: "byhand",
  nodeIp: "10.0.0.1",
  pauseImage: "p",
  images: [],
  mayAdjustOomScore: false,
}

/**
 * How many minor versions a program may be behind or ahead of kube-apiserver.
 * https://kubernetes.io/releases/version-skew-policy/
 */
export interface Skew {
  readonly behind: number
  readonly ahead: number
  /** The supported versions, as the end of a sentence. */
  readonly supported: string
}

/** The settings that every component has. They combine its flags, its environment and its configuration files. */
export interface Settings {
  /** The address on which it listens; undefined if it listens on a unix socket. */
  readonly address: Address | undefined
  /** The kubeconfig with which it reaches kube-apiserver; undefined if it has none. */
  readonly kubeconfig?: string | undefined
}

/** The settings of other components that a probe depends on. */
export interface Peers {
  readonly apiserver?: ApiserverSettings | undefined
}

/** Everything that the project knows about one component. The list of all specs is in registry.ts. */
export interface ComponentSpec<Name extends string = string, Own extends Settings = Settings> {
  readonly name: Name
  /** The file name of its program. */
  readonly program: ToolName
  /** A start script whose name contains this word starts this component. */
  readonly scriptWord: string
  /** The components that must run before this one can become ready. */
  readonly after: readonly string[]
  /** Whether it waits for the components in `after` by itself, so that all of them may be started at the same time. */
  readonly isPatient?: boolean
  /** The features that its machine must provide. */
  readonly requires: readonly MachineFeature[]
  /** Whether the course starts it, so that the learner does not start it. */
  readonly isProvided?: boolean
  /** Whether it may start before the lesson that needs it. No earlier lesson may be affected. */
  readonly startsAhead?: boolean
  /** The programs that a machine gets with it: its own programs, and the tools to inspect it. */
  readonly tools: readonly ToolName[]
  /** The programs of the images that come with it, apart from those of every lesson. They stay on the host. */
  readonly imageTools?: readonly ToolName[]
  /** Describes the component as our own cluster starts it. */
  readonly describe: (facts: ClusterFacts) => Component
  /** Reads its settings from the same sources as the component: flags, environment and configuration files. */
  settings(started: Started, files: Files): Own
  /**
   * Whether another process of it, with these settings, belongs to the same instance: one cluster of etcd can have
   * several members on one machine. By default each process is an instance of its own.
   */
  isFellow?(own: Own, other: Own): boolean
  /** The probe that shows whether it is ready and well. */
  probe(settings: Own, peers: Peers): Probe
  /** What does not work if it does not run, as a clause. */
  readonly absence: string
  /** The flags that it no longer has; undefined if none is known. */
  readonly removedFlag?: (flag: string) => Removed | undefined
  /** The versions of its configuration files, by kind. */
  readonly configVersions?: Readonly<Record<string, ConfigVersion>>
  /** undefined if its version does not depend on the version of kube-apiserver. */
  readonly skew?: Skew
}

import type { Command } from "../clients/command.ts"
import type { EtcdClient } from "../clients/etcd.ts"
import { httpGet } from "../clients/http-get.ts"
import type { Kubernetes } from "../clients/kubernetes.ts"
import { ruledEndpoints } from "../clients/service-rules.ts"
import { decode } from "../clients/stored.ts"
import type { Part } from "../clusters/part.ts"
import type { ComponentName, FlagChanges } from "../components/component.ts"
import type { Access } from "../components/discovery/access.ts"
import type { EtcdSettings } from "../components/etcd.ts"
import type { Address } from "../components/settings/address.ts"
import type { Machine } from "../machines/machine.ts"
import { LinkUnsupportedError, type Link } from "../machines/network.ts"
import { allows, type Permission } from "../clusters/permission.ts"
import type { KubeadmCluster } from "../kubeadm/kubeadm-cluster.ts"
import type { Classroom } from "./classroom.ts"
import type { Cleanups } from "./cleanups.ts"
import type { LessonSpec } from "./lesson-spec.ts"
import { cannotCheck } from "./not-checked.ts"

/** The addresses of a kubelet, and how to verify it. */
export interface KubeletAddress extends Address {
  /** The port of its health endpoint. */
  readonly healthz: number
  /**
   * The file with which a client verifies its certificate: the CA that kube-apiserver uses, or else the certificate
   * itself.
   */
  readonly ca: string
  /** Whether kube-apiserver verifies it. If not, its certificate may be for any name. */
  readonly isVerified: boolean
}

/** What a test uses. */
export interface Kit {
  readonly machine: Machine
  /**
   * The same for another machine of the run, which is started if it does not run: its `machine`, `sh`, `part`, `etcd`,
   * `etcdctl`, `store` and so on. `kubectl`, `kubernetes`, `access` and `ask` are those of the first machine, because there
   * is one cluster.
   * @param name the name of a further machine, such as node-2, or of the first
   */
  readonly on: (name: string) => Promise<Kit>
  /**
   * The link between a machine of the run and the network, to cut, delay or limit it. It is restored after this outcome. If
   * this host cannot do what is asked, the outcome ends as "cannot check here".
   */
  readonly link: (name: string) => Link
  readonly etcd: Part
  readonly apiserver: Part
  readonly scheduler: Part
  readonly containerd: Part
  readonly kubelet: Part
  readonly controllerManager: Part
  readonly kubeProxy: Part
  /** Any component, by its name. */
  readonly part: (name: ComponentName) => Part
  /** Starts containerd and the registry that serves images to it. */
  readonly startRuntime: () => Promise<void>
  /** The addresses on which the components listen, read from their own settings. */
  readonly at: {
    readonly etcd: Address & EtcdSettings
    readonly apiserver: Address
    /** Where clients reach kube-apiserver, as the administrator's kubeconfig names it. */
    readonly server: () => Promise<Address>
    readonly kubelet: () => Promise<KubeletAddress>
  }
  /** The folder of the Pods' network configuration, read from containerd's settings. */
  readonly cniFolder: () => Promise<string>
  /** The name of this machine's Node. If no kubelet runs, the name that a kubelet would choose. */
  readonly node: () => string
  readonly kubectl: Command
  readonly etcdctl: Command
  readonly etcdutl: Command
  readonly ctr: Command
  readonly sh: Command
  /** The Kubernetes API, typed. */
  readonly kubernetes: () => Promise<Kubernetes>
  /** The credentials of an administrator. */
  readonly access: () => Promise<Access>
  /** Looks for such credentials again, when those of before have lost their rights with etcd. */
  readonly findAccess: () => Promise<void>
  /**
   * The HTTP status with which kube-apiserver answers a request that carries this token.
   * @param ca the CA that must have signed its certificate, in PEM format; by default the administrator's
   */
  readonly ask: (path: string, token?: string, ca?: string) => Promise<number>
  /**
   * The endpoints to which this machine's kernel forwards connections to a Service, ADDRESS:PORT, sorted.
   * @param service NAMESPACE/NAME
   */
  readonly rules: (service: string) => Promise<string[]>
  /**
   * The cluster that `kubeadm init` makes on machines of its own. It is made once. If kubeadm is missing, the outcome ends
   * as "cannot check here".
   */
  readonly kubeadm: () => Promise<KubeadmCluster>
  /** etcd's own API; a new client for each test. */
  readonly store: EtcdClient
  /** The object at a key of etcd, as JSON, whichever encoding etcd stores; undefined if the key does not exist. */
  readonly stored: (key: string) => Promise<unknown>
  /**
   * Whether the subject has a start script with the number of this lesson. Our own cluster has what such a script does.
   */
  readonly hasScript: boolean
  /** A random text for names and values, so that no answer can be prepared in advance. */
  readonly nonce: string
  /** Adds a line of evidence to the report. */
  readonly evidence: (line: string) => void
  /** Runs a step after this outcome, in reverse order, also if the outcome fails or times out. */
  readonly onCleanup: (step: () => unknown) => void
  /** Runs a step after the last outcome of this lesson, in reverse order, also if outcomes fail. */
  readonly onLessonEnd: (step: () => unknown) => void
  /** Ends the outcome as "cannot check here" if the subject does not permit this. */
  readonly needs: (permit: Permission) => void
}

/** Checks that the subject permits something. @throws NotChecked if it does not */
export function mustAllow({ subject }: Pick<Classroom, "subject">, permit: Permission): void {
  if (!allows(subject.permits, permit)) cannotCheck(`needs --allow ${permit}`)
}

/** What the kit of one outcome is made from. */
export interface KitOptions {
  readonly lesson: Pick<LessonSpec, "number">
  readonly classroom: Classroom
  readonly store: EtcdClient
  readonly evidence: (line: string) => void
  readonly cleanups: Cleanups
  readonly lessonEnd: Cleanups
}

/** The kit for one outcome. */
export function kitOf(options: KitOptions): Kit {
  const { lesson, classroom, store, evidence, cleanups, lessonEnd } = options
  const { subject, machine, kubectl, etcdctl, etcdutl, ctr, sh, nonce } = classroom
  const needs = (permit: Permission) => mustAllow(classroom, permit)
  const part = (name: ComponentName) =>
    guarded(subject.part(name), needs, (changes) => cleanups.add(classroom.noteFlags(Object.keys(changes))))
  return {
    machine,
    on: async (name) => {
      const there = await classroom.on(name)
      // On a machine without etcd, the files of its clients can be missing.
      const its = await there.store().catch(() => ({ store, close: () => undefined }))
      cleanups.add(its.close)
      return kitOf({ ...options, classroom: there, store: its.store })
    },
    link: (name) => {
      const link = checked(classroom.link(name))
      cleanups.add(() => link[Symbol.asyncDispose]())
      return link
    },
    etcd: part("etcd"),
    apiserver: part("kube-apiserver"),
    scheduler: part("kube-scheduler"),
    containerd: part("containerd"),
    kubelet: part("kubelet"),
    controllerManager: part("kube-controller-manager"),
    kubeProxy: part("kube-proxy"),
    part,
    startRuntime: async () => {
      if (subject.part("containerd").isRunning && !allows(subject.permits, "restart")) return
      needs("restart")
      await subject.ensure(["containerd"])
    },
    kubectl,
    etcdctl,
    etcdutl,
    ctr,
    sh,
    store,
    nonce,
    hasScript: subject.canEnter(lesson.number),
    at: {
      get etcd() {
        const { settings } = subject.part("etcd")
        return { ...settings, ...settings.address }
      },
      get apiserver() {
        return classroom.apiserverAddress
      },
      server: () => classroom.serverAddress(),
      kubelet: () => {
        const { address, healthz, certificate } = subject.part("kubelet").settings
        const { kubeletCa } = subject.part("kube-apiserver").settings
        const isVerified = kubeletCa !== undefined
        return Promise.resolve({ ...address, healthz: healthz.port, ca: kubeletCa ?? certificate, isVerified })
      },
    },
    node: () => subject.part("kubelet").settings.nodeName ?? machine.name,
    cniFolder: () => Promise.resolve(subject.part("containerd").settings.cniFolder),
    kubernetes: () => classroom.kubernetes(),
    access: () => classroom.access(),
    findAccess: () => classroom.findAccess(),
    ask: async (path, token, trusted) => {
      const { ca: own, serverName } = await classroom.access()
      const ca = trusted === undefined ? own : Buffer.from(trusted)
      const request = { ...classroom.apiserverAddress, path, ca, serverName, token }
      return (await httpGet(machine, request)).status
    },
    rules: (service) => ruledEndpoints(machine, subject.part("kube-proxy").settings.mode, service),
    stored: async (key) => {
      const state = await store.get(key)
      return state && decode(state.bytes)
    },
    kubeadm: () => classroom.kubeadm(),
    evidence,
    onCleanup: (step) => cleanups.add(step),
    onLessonEnd: (step) => lessonEnd.add(step),
    needs,
  }
}

/** A link whose changes end the outcome as "cannot check here" if this host cannot make them. */
function checked(link: Link): Link {
  const attempt = (change: Promise<void>) =>
    change.catch((error: unknown) => {
      if (error instanceof LinkUnsupportedError) cannotCheck(`this host ${error.lacks}`)
      throw error
    })
  return {
    ...link,
    delay: (milliseconds) => attempt(link.delay(milliseconds)),
    lossy: (percent) => attempt(link.lossy(percent)),
    limit: (kilobits) => attempt(link.limit(kilobits)),
  }
}

/**
 * A component that starts and stops only if the subject permits it. `start` of a running component changes nothing,
 * so it is always permitted.
 * @param note learns the flags with which the outcome starts it
 */
function guarded(part: Part, needs: (permit: Permission) => void, note: (changes: FlagChanges) => void): Part {
  const changing: readonly (string | symbol)[] = ["stop", "kill", "restart", "another"] satisfies (keyof Part)[]
  return new Proxy(part, {
    get: (target, key) => {
      if (changing.includes(key)) needs("restart")
      if (key === "start" && !target.isRunning) needs("restart")
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== "function") return value
      return (changes?: FlagChanges): unknown => {
        if (changes !== undefined) note(changes)
        return value.call(target, changes) as unknown
      }
    },
  })
}

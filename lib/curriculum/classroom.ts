import { randomBytes } from "node:crypto"
import { command, type Command } from "../clients/command.ts"
import { kubernetes, type Kubernetes } from "../clients/kubernetes.ts"
import { EtcdClient } from "../clients/etcd.ts"
import { readTls } from "../clients/etcd-connection.ts"
import { Cluster, featuresOfMachine, type DiagnosisOn } from "../clusters/cluster.ts"
import type { Artifacts } from "../clusters/artifacts.ts"
import type { MachineFeature, Peers } from "../components/spec.ts"
import type { Subject } from "../subjects/subject.ts"
import { readAccess, type Access } from "../components/discovery/access.ts"
import { addressIn, type Address } from "../components/settings/address.ts"
import { etcdctlEnvironment, etcdTls } from "../components/etcd.ts"
import type { Forward, Machine } from "../machines/machine.ts"
import { isMachineName, type Link, type Network } from "../machines/network.ts"
import { LIMITS_OF_SCRIPTS } from "../machines/limits.ts"
import { writePurpose } from "../machines/purpose.ts"
import { attachMachine, chooseProvider } from "../machines/providers.ts"
import { isOnlyWaiting } from "../diagnosis/diagnose.ts"
import { explain, foresee, type Circumstances, type Explanation } from "../diagnosis/explain.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import type { Foreseen } from "../failures/wait.ts"
import { registeredInterference, type Interference } from "./interference.ts"
import type { Settings } from "../base/settings.ts"
import { readFolder } from "../subjects/folder.ts"
import { UsageError } from "../base/errors.ts"
import { accompanied } from "./until.ts"
import type { Images } from "../images/resolve.ts"
import { KubeadmCluster } from "../kubeadm/kubeadm-cluster.ts"
import { cannotCheck } from "./not-checked.ts"
import { lessons, lessonThatStarts } from "./lessons.ts"
import { HostCluster } from "../subjects/host-cluster.ts"
import { observeHost } from "../subjects/host-clients.ts"
import { parseHostTarget } from "../machines/host/target.ts"
import { ownValues, type OwnValues } from "../subjects/own-values.ts"
import { ScriptCluster } from "../subjects/script-cluster.ts"

/** The timeout of a command (milliseconds). */
const LONGEST_COMMAND = 60_000

/** What a classroom consists of. */
export interface ClassroomParts {
  readonly machine: Machine
  readonly subject: Subject
  readonly interference?: Interference | undefined
  /** What becomes of the machine when the classroom is closed; by default it is removed. */
  readonly leave?: () => Promise<void>
  /** Milliseconds a command may take; a minute by default. */
  readonly limit?: number
  /** The folder in which each diagnosis records what it saw; undefined if nothing is recorded. */
  readonly recordings?: string | undefined
  /** The machines of the run; undefined if there is only this one. */
  readonly network?: Network | undefined
  /** The images of the lessons; undefined if there are none. */
  readonly images?: Images | undefined
}

/**
 * What the lessons of one run share: a machine, the cluster on it, and the commands with which a person would examine
 * it.
 */
export class Classroom implements AsyncDisposable {
  readonly machine: Machine
  /** What is graded. */
  readonly subject: Subject
  readonly kubectl: Command
  readonly etcdctl: Command
  readonly etcdutl: Command
  readonly ctr: Command
  /** Runs a line in the machine's shell. */
  readonly sh: Command
  /** Breaks something on purpose; undefined in an ordinary run. */
  readonly interference: Interference | undefined
  /** A random text for names and values, so that no answer can be prepared in advance. */
  readonly nonce: string
  /** See noteFlags. That of the first machine's classroom counts. */
  readonly #changedFlags = new Set<string>()
  readonly #leave: () => Promise<void>
  readonly #limit: number
  readonly #recordings: string | undefined
  readonly #parts: ClassroomParts
  /** The classroom of the first machine; undefined if this is it. */
  readonly #first: Classroom | undefined
  /** The same on further machines, by their names. */
  readonly #further = new Map<string, Classroom>()
  #access: Access | undefined
  #kubeadm: Promise<KubeadmCluster> | undefined
  #forward: Forward | undefined

  /** @param first the classroom of the first machine, for that of a further one */
  constructor(parts: ClassroomParts, first?: Classroom) {
    const { machine, subject, interference, leave, limit = LONGEST_COMMAND, recordings } = parts
    this.#parts = parts
    this.#first = first
    this.nonce = first?.nonce ?? randomBytes(4).toString("hex")
    this.#recordings = recordings
    this.machine = machine
    this.#leave = leave ?? (() => machine.close())
    this.#limit = limit
    this.subject = subject
    this.interference = interference
    const environment = () => this.environment()
    this.kubectl = first?.kubectl ?? accompanied(command(machine, "kubectl", limit, environment))
    this.etcdctl = accompanied(command(machine, "etcdctl", limit, environment))
    this.etcdutl = accompanied(command(machine, "etcdutl", limit, environment))
    this.ctr = accompanied(command(machine, "ctr", limit, environment))
    const shell = accompanied(command(machine, "sh", limit, environment))
    this.sh = (line, options) => shell(`-ec '${line.replaceAll("'", `'"'"'`)}'`, options)
  }

  /**
   * Starts the machine. Components start when a lesson needs them. A running host is only looked at.
   * @param hostFolder the folder through whose sockets the host is reached that the settings name
   * @throws MachineStartError if this host cannot make a machine, UsageError if the subject is not a folder of scripts
   */
  static async open(artifacts: Artifacts, settings: Settings, hostFolder?: string): Promise<Classroom> {
    if (settings.host !== undefined && hostFolder !== undefined)
      return Classroom.#ofHost(artifacts, { ...settings, host: settings.host }, hostFolder)
    const { subject: path, patience } = settings
    const folder = path === undefined ? undefined : await readFolder(path)
    const { machine, network, leave } = await machineFor(artifacts, settings)
    const interference = registeredInterference()
    await interference?.atStart(machine, network)
    const diagnosisOn: DiagnosisOn = (on, known) => ({
      explain: async (failure, certain) => {
        if (certain !== undefined && settings.record === undefined) return certain
        const { finding } = await explain(on, failure, { known: known(), recordings: settings.record })
        return finding && foundOn(on, finding)
      },
      foresee: async (failure) => {
        const found = await foresee(on, failure, { known: known(), recordings: settings.record }, "components")
        return found.map((one) => ({ ...one, finding: foundOn(on, one.finding) }))
      },
    })
    // On a slow machine, a command may take as long as a component.
    const { images } = artifacts
    const common = { machine, network, images, interference, leave, limit: patience, recordings: settings.record }
    if (folder !== undefined) {
      const scripts: ScriptCluster = await ScriptCluster.open({
        machine,
        folder,
        artifacts,
        patience,
        network,
        own: ownOf(settings.for ?? folder.student),
        ...diagnosisOn(machine, () => scripts.known()),
        diagnosisOn,
        changeNumbers: lessons.filter((lesson) => lesson.settings !== undefined).map(({ number }) => number),
        scriptNumberOf: (name, on) => lessonThatStarts(name, on)?.number ?? Number.MAX_SAFE_INTEGER,
      })
      return new Classroom({ ...common, subject: scripts })
    }
    const cluster: Cluster = new Cluster({
      machine,
      images: artifacts.images,
      patience,
      network,
      ...diagnosisOn(machine, () => cluster.known()),
      diagnosisOn,
      alter: interference?.alter.bind(interference),
    })
    if (artifacts.images !== undefined) cluster.startAhead()
    return new Classroom({ ...common, subject: cluster })
  }

  /** Looks at a running host. @param folder through its sockets the host is reached */
  static async #ofHost(
    artifacts: Artifacts,
    { host, sshConfig, patience: limit, record: recordings, for: student }: Settings & { readonly host: string },
    folder: string,
  ): Promise<Classroom> {
    const machine = await observeHost(parseHostTarget(host, sshConfig), { folder, artifacts, limit })
    const subject: HostCluster = await HostCluster.open(
      machine,
      async (failure) => {
        const { finding } = await explain(machine, failure, { known: subject.known(), recordings })
        return finding
      },
      ownOf(student),
    )
    // vitest passes it to the reporters.
    console.log(subject.summary)
    return new Classroom({ machine, subject, limit, recordings })
  }

  /**
   * The same cluster on another machine of the run, with the commands of that machine. kubectl and the Kubernetes API are
   * those of the first.
   * @param name the name of a further machine, or of the first
   */
  async on(name: string): Promise<Classroom> {
    if (this.#first !== undefined) return this.#first.on(name)
    const subject = await this.subject.on(name)
    if (subject === this.subject) return this
    const known = this.#further.get(name)
    if (known?.subject === subject) return known // Otherwise the machine has ended, and this is another one.
    const classroom = new Classroom({ ...this.#parts, machine: subject.machine, subject }, this)
    this.#further.set(name, classroom)
    return classroom
  }

  /**
   * The cluster that kubeadm makes on machines of its own, beside this one. It is made once.
   * @throws NotChecked if there are no further machines, or no kubeadm
   */
  async kubeadm(): Promise<KubeadmCluster> {
    const { network, images, interference } = this.#parts
    if (network === undefined) cannotCheck("kubeadm needs machines of its own")
    const { exitCode } = await this.machine.run(["sh", "-c", "command -v kubeadm"])
    if (exitCode !== 0) cannotCheck("kubeadm is missing: it comes from the official release, or is built by Go")
    this.#kubeadm ??= KubeadmCluster.init({
      network,
      images,
      patience: this.#limit,
      alter: interference?.alter.bind(interference),
    })
    return this.#kubeadm
  }

  /** The further machines that run, as far as lessons have used them. */
  get further(): readonly Classroom[] {
    return [...this.#further.values()]
  }

  /**
   * Remembers the flags with which an outcome starts components, on any machine: what follows from them is no mistake.
   * @returns forgets them
   */
  noteFlags(flags: readonly string[]): () => void {
    if (this.#first !== undefined) return this.#first.noteFlags(flags)
    for (const flag of flags) this.#changedFlags.add(flag)
    return () => {
      for (const flag of flags) this.#changedFlags.delete(flag)
    }
  }

  /** The link between a machine and the network of the run. @throws TypeError if the run has only one machine */
  link(name: string): Link {
    const { network } = this.#parts
    if (network === undefined) throw new TypeError("This run has only one machine.")
    return network.link(name)
  }

  /** Why this machine cannot provide what a lesson requires; undefined if it can. */
  lacks(features: readonly MachineFeature[]): string | undefined {
    const provided = featuresOfMachine(this.machine)
    return features.every((feature) => provided.includes(feature)) ? undefined : (this.machine.lacks ?? "")
  }

  /**
   * Reads an administrator's credentials if kube-apiserver runs, also if they have changed since. If none are found,
   * the test that needs them fails. A changed kubeconfig that gives no access does not replace the earlier credentials:
   * only the tests that use the file fail.
   */
  async look(): Promise<void> {
    // Without etcd, kube-apiserver answers after seconds or not at all.
    if (!this.subject.part("etcd").isRunning || !this.subject.part("kube-apiserver").isRunning) return
    const before = this.#access
    if (before !== undefined) {
      const now = await readAccess(this.machine, before.kubeconfig).catch(() => undefined)
      // A lesson that deletes the kubeconfig on purpose puts it back.
      if (now === undefined || now.portable === before.portable) return
    }
    await this.findAccess().catch(() => undefined)
  }

  /** The environment variables with which kubectl, etcdctl and ctr find this cluster. */
  environment(): Record<string, string> {
    const containerd = this.subject.part("containerd")
    return {
      ...etcdctlEnvironment(this.subject.part("etcd").settings, this.#clientsOfEtcd),
      ...(this.#access === undefined ? {} : { KUBECONFIG: this.#access.kubeconfig }),
      ...(containerd.isRunning ? { CONTAINERD_ADDRESS: containerd.settings.socket } : {}),
    }
  }

  /** Whose certificate etcdctl shows: kube-apiserver's; etcd's own on a further machine. */
  get #clientsOfEtcd(): Peers {
    return this.#first === undefined ? { apiserver: this.subject.part("kube-apiserver").settings } : {}
  }

  /** The credentials of an administrator. @throws NoAccessError if none are found */
  async access(): Promise<Access> {
    if (this.#first !== undefined) return this.#first.access()
    this.#access ??= await this.subject.access()
    return this.#access
  }

  /**
   * Looks for an administrator's credentials again. Those of before may have no rights any more: what RBAC grants is in
   * etcd. @throws NoAccessError if none are found
   */
  async findAccess(): Promise<void> {
    this.#access = await this.subject.access()
  }

  /** Where kube-apiserver listens. */
  get apiserverAddress(): Address {
    return (this.#first ?? this).subject.part("kube-apiserver").settings.address
  }

  /**
   * Where clients reach kube-apiserver: the address in the administrator's kubeconfig, because the certificate is made
   * for it. A kube-apiserver that listens on all addresses need not have a certificate for 127.0.0.1.
   */
  async serverAddress(): Promise<Address> {
    const own = this.apiserverAddress
    const named = addressIn((await this.access()).server, 443)
    return named.port === own.port ? named : own
  }

  /** A client of etcd's own API, through a forwarded port. `close` ends both. */
  async store(): Promise<{ store: EtcdClient; close: () => Promise<void> }> {
    const etcd = this.subject.part("etcd").settings
    const { host, port } = etcd.address
    const forward = await this.machine.forward(port, host)
    const files = etcdTls(etcd, this.#clientsOfEtcd)
    // On a machine where etcd has not started yet, its certificates can be missing.
    const tls = files === undefined ? undefined : await readTls(this.machine, files).catch(() => undefined)
    const store = new EtcdClient(forward.address, tls && { ...tls, host })
    return {
      store,
      close: async () => {
        store[Symbol.dispose]()
        await forward[Symbol.asyncDispose]()
      },
    }
  }

  /**
   * Explains a failure, as far as its cause is known. If the first machine shows no cause, or only that a script
   * waits, the further ones are examined.
   */
  async explain(failure: Failure): Promise<Explanation> {
    const own = await this.#explainHere(failure)
    const isEnough = own.finding !== undefined && !isOnlyWaiting(own.finding)
    if (isEnough || this.#further.size === 0) return own
    const others = await Promise.all(
      this.further.map(async (one): Promise<Explanation> => {
        const { finding, unwell } = await one.#explainHere(failure)
        const { name } = one.machine
        return {
          finding: finding && foundOn(one.machine, finding),
          unwell: unwell.map((component) => ({ ...component, state: `on ${name} ${component.state}` })),
        }
      }),
    )
    const found = [own, ...others].flatMap(({ finding }) => finding ?? [])
    return {
      finding: found.find((one) => !isOnlyWaiting(one)) ?? found[0],
      unwell: [own, ...others].flatMap(({ unwell }) => unwell),
    }
  }

  #explainHere(failure: Failure): Promise<Explanation> {
    return explain(this.machine, failure, this.#knowledge)
  }

  /** What a diagnosis cannot observe on the machine. */
  get #knowledge(): Circumstances {
    return {
      known: this.subject.known(),
      waiting: () => this.subject.waiting?.() ?? Promise.resolve([]),
      kubeconfigPath: this.#access?.kubeconfig,
      changedLinks: this.#parts.network?.changedLinks,
      changedFlags: [...(this.#first ?? this).#changedFlags],
      recordings: this.#recordings,
    }
  }

  /** Looks once for causes that no time heals, while an outcome is still awaited. */
  async foresee(failure: Failure, depth: "components" | "objects" = "objects"): Promise<readonly Foreseen[]> {
    const own = foresee(this.machine, failure, this.#knowledge, depth).then((found) =>
      found.map((one) => ({ ...one, finding: foundOn(this.machine, one.finding) })),
    )
    // A lesson may have ended a machine on purpose.
    const others = this.further.map((one) => one.foresee(failure, "components").catch(() => []))
    return (await Promise.all([own, ...others])).flat()
  }

  /** The Kubernetes API through a forwarded port. */
  async kubernetes(): Promise<Kubernetes> {
    if (this.#first !== undefined) return this.#first.kubernetes()
    const { host, port } = this.apiserverAddress
    this.#forward ??= await this.machine.forward(port, host)
    return kubernetes(await this.access(), this.#forward.address, this.#limit)
  }

  /** Removes the machine and everything in it, unless it is kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave()
  }
}

/** The values that the cluster of a student must have; undefined without a student. */
function ownOf(student: string | undefined): OwnValues | undefined {
  return student === undefined ? undefined : ownValues(student)
}

/** A finding whose cause names the machine, if that is a further one. */
function foundOn({ name }: Machine, finding: Finding): Finding {
  return isMachineName(name) ? { ...finding, machine: name, cause: `on ${name}, ${finding.cause}` } : finding
}

/**
 * Starts a machine, or attaches to the machine that BYHAND_RUN names. A machine that this process starts ends with it,
 * unless the classroom was closed before and BYHAND_KEEP names the machine.
 * @throws UsageError if no such machine runs
 */
async function machineFor(
  { binds }: Artifacts,
  settings: Settings,
): Promise<Required<Pick<ClassroomParts, "machine" | "network" | "leave">>> {
  const { run, keep, subject, patience } = settings
  if (run !== undefined) {
    const found = await attachMachine(settings, run)
    if (found === undefined)
      throw new UsageError(`BYHAND_RUN=${run} names no running machine.`, "Unset it to start a new machine.")
    return { machine: found.machine, network: found.network, leave: () => Promise.resolve() }
  }
  const { machine, network, folder, detach } = await (
    await chooseProvider(settings)
  ).start({
    name: "byhand",
    binds,
    limits: {
      ...(subject === undefined ? {} : LIMITS_OF_SCRIPTS),
      // With the default patience of a minute, a learner's scripts may run for a quarter of an hour. A machine that is kept
      // has no time limit.
      ...(subject === undefined || keep !== undefined ? {} : { seconds: Math.ceil((15 * patience) / 1000) }),
    },
    ...(keep === undefined ? {} : { id: keep }),
  })
  if (keep !== undefined) await writePurpose(folder, { command: "grade", subject: subject ?? null })
  return { machine, network, leave: keep === undefined ? () => machine.close() : detach }
}

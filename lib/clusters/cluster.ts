import { randomBytes } from "node:crypto"
import { dirname } from "node:path"
import { argvOf, type Component, type ComponentName } from "../components/component.ts"
import { componentNames, dependenciesOf, specOf, specs, type Spec } from "../components/registry.ts"
import type { ClusterFacts, MachineFeature } from "../components/spec.ts"
import { APISERVER_PORT } from "../components/apiserver.ts"
import { FailureError } from "../failures/errors.ts"
import type { Explain } from "../failures/failure.ts"
import type { Foresee } from "../failures/wait.ts"
import type { Known } from "./known.ts"
import { findAccess, type Access, type Credentials } from "../components/discovery/access.ts"
import { findProcesses } from "../components/discovery/process.ts"
import { listed, type Images } from "../images/resolve.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../kubeconfig/kubeconfig.ts"
import { mayLowerOomScore } from "../machines/capabilities.ts"
import type { Machine } from "../machines/machine.ts"
import type { Network } from "../machines/network.ts"
import {
  managerCommands,
  networked,
  networkedCommands,
  pki,
  pkiCommands,
  pkiScript,
  secured,
  securedCommands,
  type Pair,
} from "../pki/pki.ts"
import type { Changes, Stage } from "./stage.ts"
import { Disturbances } from "./disturbances.ts"
import { Further } from "./further.ts"
import { BlockedError } from "./errors.ts"
import type { Permission } from "./permission.ts"
import { ManagedComponent, type Surroundings } from "./managed-component.ts"

/** Certificates that are made together, when the first component needs one of them. */
interface Certificates {
  readonly pairs: readonly Pair[]
  readonly commands: (machine: Machine) => string[][]
}

/** The certificates that lessons add. */
const ADDED: readonly Certificates[] = [
  {
    pairs: [
      secured.etcd.ca,
      secured.etcd.server,
      secured.apiserver.toEtcd,
      secured.admin,
      secured.scheduler,
      secured.kubelet,
    ],
    commands: ({ name }) => securedCommands(name),
  },
  { pairs: [pki.controllerManager], commands: managerCommands },
  { pairs: [networked.apiserver, networked.proxy], commands: ({ address }) => networkedCommands(address) },
]

/** The path of a certificate or key in a command line or a file. */
const PKI_FILE = new RegExp(String.raw`${pki.folder}/[\w./-]+\.(?:crt|key|pub)`, "g")

export interface ClusterOptions {
  readonly machine: Machine
  /** undefined if no component requires images. */
  readonly images: Images | undefined
  /** The longest time that a component may take to become ready (milliseconds). */
  readonly patience: number
  /** Finds the known cause of a failure. Without it, no error names a cause. */
  readonly explain?: Explain | undefined
  /** Looks for causes that no time heals while a component is awaited. By default there are none. */
  readonly foresee?: Foresee | undefined
  /** Changes the description of a component, to break it on purpose. By default it changes nothing. */
  readonly alter?: ((component: Component, machine: string) => Component) | undefined
  /** What lessons may do to the cluster; by default everything. */
  readonly permits?: Permission
  /** The machines of the run. Without it, the cluster has only its own machine. */
  readonly network?: Network | undefined
  /** Explains what happens on a further machine. By default, no error there names a cause. */
  readonly diagnosisOn?: DiagnosisOn | undefined
}

/** Explains what happens on a machine. @param known the facts that a diagnosis cannot observe there */
export type DiagnosisOn = (
  machine: Machine,
  known: () => readonly Known[],
) => { readonly explain: Explain; readonly foresee: Foresee }

/** The features that a machine provides to components. */
export function featuresOfMachine({ privileged }: Pick<Machine, "privileged">): readonly MachineFeature[] {
  return privileged ? ["containers", "images"] : []
}

/** Whether a component, and all that it depends on, can run on a machine. */
export function canRun(name: ComponentName, machine: Pick<Machine, "privileged">): boolean {
  const provided = featuresOfMachine(machine)
  return dependenciesOf([name]).every(({ requires }) => requires.every((feature) => provided.includes(feature)))
}

/** The components that can run on a machine, in start order. */
export function runnableOn(machine: Pick<Machine, "privileged">): ComponentName[] {
  return componentNames.filter((name) => canRun(name, machine))
}

/** Our own cluster, with one managed component for each spec. It implements Subject, which a higher floor declares. */
export class Cluster {
  readonly machine: Machine
  readonly permits: Permission
  /** The administrator's bearer token, new for each cluster. */
  readonly token: string
  /** The components in start order. */
  readonly parts: readonly ManagedComponent[]
  #facts: ClusterFacts
  #files: Promise<void> | undefined
  #oomScore: Promise<void> | undefined
  #ca: Promise<Buffer> | undefined
  readonly #added = new Map<Certificates, Promise<void>>()
  readonly #options: ClusterOptions
  /** The cluster of the first machine; undefined if this is it. */
  readonly #first: Cluster | undefined
  /** The same cluster on further machines. */
  readonly #further: Further<Cluster>
  /** How components are started now. */
  #changes: Changes = {}

  /** @param first the cluster of the first machine, for its part on a further one */
  constructor(options: ClusterOptions, first?: Cluster) {
    const {
      machine,
      images,
      patience,
      explain = () => Promise.resolve(undefined),
      foresee,
      alter = (component) => component,
      permits = "destroy",
    } = options
    this.#options = options
    this.#first = first
    this.#further = new Further(options.network, (further) => this.#openOn(further))
    this.token = first?.token ?? randomBytes(16).toString("hex")
    this.machine = machine
    this.permits = permits
    this.#facts = {
      token: this.token,
      encryptionKey: first === undefined ? randomBytes(32).toString("base64") : first.#facts.encryptionKey,
      bootstrapToken: `${this.token.slice(0, 6)}.${this.token.slice(6, 22)}`,
      node: machine.name,
      nodeIp: machine.address,
      pauseImage: images?.pause.reference ?? "",
      images: images === undefined ? [] : listed(images).map(({ reference }) => reference),
      mayAdjustOomScore: false,
    }
    const surroundings: Surroundings = {
      machine,
      patience,
      administrator: () => this.#administrator(),
      prepare: (component) => this.#prepare(component),
      explain,
      foresee,
      alter: (component) => alter(component, machine.name),
      disturbances: new Disturbances(),
    }
    const managed = ({ name, describe }: Spec) => new ManagedComponent(name, () => describe(this.#facts), surroundings)
    this.parts = specs.map(managed)
  }

  part<Name extends ComponentName>(name: Name): ManagedComponent<Name> {
    const found = this.parts.find((part) => part.name === name)
    if (found === undefined) throw new TypeError(`${name} is not in the list of components`)
    // The compiler cannot infer that the part with this name has this type.
    return found as unknown as ManagedComponent<Name>
  }

  /** The facts that a diagnosis cannot observe on the machine. A further machine has only what was started there. */
  known(): Known[] {
    const own = this.#first === undefined ? this.parts : this.parts.filter(({ wasStarted }) => wasStarted)
    return own.map(({ known }) => known)
  }

  /** See Subject. */
  async on(name: string): Promise<Cluster> {
    if (this.#first !== undefined) return this.#first.on(name)
    return name === this.machine.name ? this : this.#further.on(name)
  }

  #openOn(machine: Machine): Promise<Cluster> {
    const explained = this.#options.diagnosisOn?.(machine, () => cluster.known())
    const cluster: Cluster = new Cluster(
      { ...this.#options, explain: undefined, foresee: undefined, machine, ...explained },
      this,
    )
    // A lesson can start its first component there itself.
    cluster.#plan(this.#changes)
    return Promise.resolve(cluster)
  }

  /**
   * Components and all that they depend on, in start order. On a further machine, they use the others over the network,
   * except those that each machine has.
   */
  #inOrder(names: readonly ComponentName[]): readonly Spec[] {
    const all = dependenciesOf(names)
    return this.#first === undefined ? all : all.filter((one) => one.isProvided === true || names.includes(one.name))
  }

  async ensure(names: readonly ComponentName[]): Promise<void> {
    for (const { name } of this.#inOrder(names)) {
      const part = this.part(name)
      const exit = await part.unexpectedExit()
      if (exit !== undefined) throw exit
      if (!part.isRunning && part.failure !== undefined) throw new BlockedError(name, part.failure)
      await part.start()
    }
  }

  /** See Subject. */
  forgetExits(): Promise<void> {
    for (const part of this.parts) part.forgetExit()
    return Promise.resolve()
  }

  /**
   * Starts components and all that they depend on, as many at the same time as possible.
   * @param names by default all components that this machine can run
   * @throws ComponentError for the first component that does not start
   */
  async up(names: readonly ComponentName[] = runnableOn(this.machine)): Promise<void> {
    const starts = new Map<string, Promise<void>>()
    for (const { name, after, isPatient = false } of this.#inOrder(names)) {
      const awaited = isPatient ? [] : after.map((other) => starts.get(other) ?? Promise.resolve())
      starts.set(
        name,
        Promise.all(awaited).then(() => this.part(name).start()),
      )
    }
    await Promise.all(starts.values())
  }

  /** The components that this machine can run and that may start before they are needed. */
  get ahead(): ComponentName[] {
    return runnableOn(this.machine).filter((name) => specOf(name).startsAhead)
  }

  /**
   * Starts the components that may start before they are needed, and waits for nothing. A start that fails is
   * forgotten: it is tried again when the component is needed, and is explained then.
   */
  startAhead(): void {
    for (const { name } of dependenciesOf(this.ahead)) this.up([name]).catch(() => this.part(name).forgetFailure())
  }

  /**
   * See Subject. A running component is restarted if its command line or its files change: the components that depend
   * on others end first, so that none ends by itself because what it needs has ended.
   */
  async enter(stages: readonly Stage[]): Promise<void> {
    const changes = stages.at(-1)?.changes ?? {}
    const outdated = this.parts.filter((part) => part.isRunning && part.isChangedBy(this.#changeOf(part, changes)))
    // After SIGTERM, kube-apiserver waits a minute for the clients that watch.
    for (const part of outdated.toReversed()) await part.kill()
    this.#plan(changes)
    await this.up(outdated.map(({ name }) => name))
  }

  /** Changes how components are started from now on. */
  #plan(changes: Changes): void {
    this.#changes = changes
    for (const part of this.parts) part.change(this.#changeOf(part, changes))
  }

  #changeOf(
    { name }: Pick<ManagedComponent, "name">,
    changes: Changes,
  ): ((component: Component) => Component) | undefined {
    const change = changes[name]
    return change && ((component) => change(component, this.#facts))
  }

  /** See Subject. */
  canEnter(): boolean {
    return true
  }

  async access(): Promise<Access> {
    if (this.#first !== undefined) return this.#first.access()
    return findAccess(this.machine, await findProcesses(this.machine))
  }

  /** The credentials of the administrator: a token, or a certificate if kube-apiserver accepts no tokens. */
  async #administrator(): Promise<Partial<Credentials>> {
    if (this.#first !== undefined) return this.#first.#administrator()
    const ca = await this.ca()
    if (this.part("kube-apiserver").plannedFlags.includes("--token-auth-file")) return { ca, token: this.token }
    const [certificate, key] = await Promise.all([
      this.machine.read(secured.admin.certificate),
      this.machine.read(secured.admin.key),
    ])
    return { ca, certificate, key }
  }

  /** Creates the files that a component reads and that its own description does not contain. */
  async #prepare(component: Component): Promise<void> {
    const texts = [...argvOf(component), ...component.files.map(({ content }) => content)]
    await (this.#oomScore ??= this.#learnOomScore())
    if (this.#first === undefined) return this.#makeFiles(texts)
    await this.#first.#makeFiles(texts)
    await this.#copyFromFirst(texts)
  }

  /** Makes the certificates and the kubeconfig that some texts name. */
  async #makeFiles(texts: readonly string[]): Promise<void> {
    const isNamed = (path: string) => texts.some((text) => text.includes(path))
    if (isNamed(pki.folder) || isNamed(KUBECONFIG_FILE)) await this.writeFiles()
    for (const each of ADDED.filter(({ pairs }) => pairs.some(({ certificate }) => isNamed(certificate)))) {
      const made = this.#added.get(each) ?? this.#addToPki(each.commands(this.machine))
      this.#added.set(each, made)
      await made
    }
  }

  /** Copies the certificates and keys that some texts name from the first machine, unless this one has them. */
  async #copyFromFirst(texts: readonly string[]): Promise<void> {
    const from = this.#first?.machine
    const paths = new Set(texts.flatMap((text) => text.match(PKI_FILE) ?? []))
    if (from === undefined || paths.size === 0) return
    const { stdout } = await from.run(["stat", "--format=%a %n", ...paths]) // A path can be one that is made later.
    for (const line of stdout.trim().split("\n")) {
      const [, mode, path] = /^(\d+) (.*)$/.exec(line) ?? []
      if (mode === undefined || path === undefined) continue
      if ((await this.machine.run(["test", "-e", path])).exitCode === 0) continue
      await this.machine.write(path, await from.read(path), Number.parseInt(mode, 8))
    }
  }

  /** A component as this cluster would start it. */
  async describe(name: ComponentName): Promise<Component> {
    await (this.#oomScore ??= this.#learnOomScore())
    return this.part(name).component
  }

  async #learnOomScore(): Promise<void> {
    const status = (await this.machine.read("/proc/self/status")).toString()
    this.#facts = { ...this.#facts, mayAdjustOomScore: mayLowerOomScore(status) === true }
  }

  /** Creates the certificates, keys and the kubeconfig. Later calls do nothing. */
  writeFiles(): Promise<void> {
    this.#files ??= this.#writeFiles()
    return this.#files
  }

  async #addToPki(commands: readonly (readonly string[])[]): Promise<void> {
    await this.writeFiles() // They contain the CA.
    await this.#runPki(commands)
  }

  /** @throws FailureError */
  async #runPki(commands: readonly (readonly string[])[]): Promise<void> {
    const result = await this.machine.run(["sh", "-ec", pkiScript(commands)])
    if (result.exitCode === 0) return
    const { stdout } = await this.machine.run(["df", "--output=avail", "/etc"]) // openssl does not always report a full disk.
    if (/\n *0$/.test(stdout.trimEnd()))
      throw new FailureError(
        { kind: "disk-full", path: dirname(pki.ca.certificate) },
        "Free space on the disk that holds the folder of this run, or set BYHAND_RUNS to a folder on another disk.",
      )
    throw new FailureError(
      { kind: "command-failed", argv: ["openssl", "req"], ...result },
      "Check that openssl 3 is installed: openssl version",
    )
  }

  async #writeFiles(): Promise<void> {
    await this.#runPki(pkiCommands(this.machine.name))
    await this.machine.write(
      KUBECONFIG_FILE,
      kubeconfig({
        server: `https://127.0.0.1:${APISERVER_PORT}`,
        ca: { file: pki.ca.certificate },
        user: { token: this.token },
      }),
      0o600,
    )
  }

  /** The certificate of the CA, in PEM format. */
  ca(): Promise<Buffer> {
    if (this.#first !== undefined) return this.#first.ca()
    this.#ca ??= this.writeFiles().then(() => this.machine.read(pki.ca.certificate))
    return this.#ca
  }
}

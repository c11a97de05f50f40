import { randomBytes } from "node:crypto"
import { argvOf, type Component, type ComponentName } from "../components/component.ts"
import { dependenciesOf, specs, type Spec } from "../components/registry.ts"
import type { ClusterFacts, MachineFeature } from "../components/spec.ts"
import { APISERVER_PORT } from "../components/apiserver.ts"
import type { Explain } from "../failures/failure.ts"
import type { Known } from "./known.ts"
import { findAccess, type Access } from "../components/discovery/access.ts"
import { findProcesses } from "../components/discovery/process.ts"
import { RemediedError } from "../base/errors.ts"
import type { Images } from "../images/resolve.ts"
import { KUBECONFIG_FILE, kubeconfig } from "../kubeconfig/kubeconfig.ts"
import { mayLowerOomScore } from "../machines/capabilities.ts"
import type { Machine } from "../machines/machine.ts"
import { pki, pkiScript } from "../pki/pki.ts"
import { BlockedError } from "./errors.ts"
import type { Permission } from "./permission.ts"
import { ManagedComponent, type Surroundings } from "./managed-component.ts"

/** Certificates could not be made. */
export class PkiError extends RemediedError {}

export interface ClusterOptions {
  readonly machine: Machine
  /** undefined where no component runs that requires images. */
  readonly images: Images | undefined
  /** Milliseconds each component may take to become ready. */
  readonly patience: number
  /** Finds the known cause of a failure; without it no error names a cause. */
  readonly explain?: Explain
  /** Changes components as they are described, to break something on purpose; changes nothing by default. */
  readonly alter?: ((component: Component) => Component) | undefined
  /** What lessons may do to it; everything by default. */
  readonly permits?: Permission
}

/** What a machine provides to components. */
export function featuresOfMachine({ privileged }: Pick<Machine, "privileged">): readonly MachineFeature[] {
  return privileged ? ["containers", "images"] : []
}

/** Whether a component, and everything that it comes after, can run on a machine. */
export function canRun(name: ComponentName, machine: Pick<Machine, "privileged">): boolean {
  const provided = featuresOfMachine(machine)
  return dependenciesOf([name]).every(({ requires }) => requires.every((feature) => provided.includes(feature)))
}

/** Our own cluster: one managed component for each spec. It is a Subject, which is declared on a floor above. */
export class Cluster {
  readonly machine: Machine
  readonly permits: Permission
  /** The administrator's bearer token, new for each cluster. */
  readonly token = randomBytes(16).toString("hex")
  /** The components in start order. */
  readonly parts: readonly ManagedComponent[]
  #facts: ClusterFacts
  #files: Promise<void> | undefined
  #oomScore: Promise<void> | undefined
  #ca: Promise<Buffer> | undefined

  constructor({
    machine,
    images,
    patience,
    explain = () => Promise.resolve(undefined),
    alter = (component) => component,
    permits = "destroy",
  }: ClusterOptions) {
    this.machine = machine
    this.permits = permits
    this.#facts = {
      token: this.token,
      nodeIp: machine.address,
      pauseImage: images?.pause.reference ?? "",
      images: images === undefined ? [] : [images.pause.reference, images.nginx.reference],
      mayAdjustOomScore: false,
    }
    const surroundings: Surroundings = {
      machine,
      patience,
      administrator: async () => ({ ca: await this.ca(), token: this.token }),
      prepare: (component) => this.#prepare(component),
      explain,
      alter,
    }
    const managed = ({ name, describe }: Spec) => new ManagedComponent(name, () => describe(this.#facts), surroundings)
    this.parts = specs.map(managed)
  }

  part<Name extends ComponentName>(name: Name): ManagedComponent<Name> {
    const found = this.parts.find((part) => part.name === name)
    if (found === undefined) throw new TypeError(`${name} is not in the list of components`)
    return found as unknown as ManagedComponent<Name> // The one of this name, which the compiler cannot tell.
  }

  /** What a diagnosis cannot see. */
  known(): Known[] {
    return this.parts.map(({ known }) => known)
  }

  async ensure(names: readonly ComponentName[]): Promise<void> {
    for (const { name } of dependenciesOf(names)) {
      const part = this.part(name)
      if (!part.isRunning && part.failure !== undefined) throw new BlockedError(name, part.failure)
      await part.start()
    }
  }

  /**
   * Starts components, and what they come after, as much at the same time as possible.
   * @param names all that this machine can run by default
   * @throws ComponentError for the first that does not come up
   */
  async up(
    names: readonly ComponentName[] = specs.map(({ name }) => name).filter((name) => canRun(name, this.machine)),
  ): Promise<void> {
    const starts = new Map<string, Promise<void>>()
    for (const { name, after, isPatient = false } of dependenciesOf(names)) {
      const awaited = isPatient ? [] : after.map((other) => starts.get(other) ?? Promise.resolve())
      starts.set(
        name,
        Promise.all(awaited).then(() => this.part(name).start()),
      )
    }
    await Promise.all(starts.values())
  }

  /** See Subject. A component that runs is restarted if its command line or files change. */
  async configure(changes: { readonly [name in ComponentName]?: (component: Component) => Component }): Promise<void> {
    for (const part of this.parts) await part.change(changes[part.name])
  }

  async access(): Promise<Access> {
    return findAccess(this.machine, await findProcesses(this.machine))
  }

  /** Makes what a component reads and does not bring itself. */
  async #prepare(component: Component): Promise<void> {
    const texts = [...argvOf(component), ...component.files.map(({ content }) => content)]
    const isNamed = (path: string) => texts.some((text) => text.includes(path))
    if (isNamed(pki.folder) || isNamed(KUBECONFIG_FILE)) await this.writeFiles()
    await (this.#oomScore ??= this.#learnOomScore())
  }

  async #learnOomScore(): Promise<void> {
    const status = (await this.machine.read("/proc/self/status")).toString()
    this.#facts = { ...this.#facts, mayAdjustOomScore: mayLowerOomScore(status) === true }
  }

  /** Certificates, keys and the kubeconfig; made once. */
  writeFiles(): Promise<void> {
    this.#files ??= this.#writeFiles()
    return this.#files
  }

  async #writeFiles(): Promise<void> {
    const { exitCode, stderr } = await this.machine.run(["sh", "-ec", pkiScript(this.machine.name)])
    const isFull =
      exitCode !== 0 && /\n *0$/.test((await this.machine.run(["df", "--output=avail", "/etc"])).stdout.trimEnd()) // openssl does not always say so.
    if (isFull)
      throw new PkiError(
        "The disk is full: there is no room for certificates.",
        "Make room on the disk that holds this run's folder, or name another in BYHAND_RUNS.",
      )
    if (exitCode !== 0)
      throw new PkiError(
        `openssl could not make the certificates: ${stderr.trim() || `exit status ${exitCode}`}.`,
        "Check that openssl 3 is there: openssl version",
      )
    await this.machine.write(
      KUBECONFIG_FILE,
      kubeconfig({
        server: `https://127.0.0.1:${APISERVER_PORT}`,
        ca: { file: pki.ca.certificate },
        token: this.token,
      }),
      0o600,
    )
  }

  /** The CA's certificate, PEM. */
  ca(): Promise<Buffer> {
    this.#ca ??= this.writeFiles().then(() => this.machine.read(pki.ca.certificate))
    return this.#ca
  }
}

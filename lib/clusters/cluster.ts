import { randomBytes } from "node:crypto"
import { apiserver } from "../components/apiserver.ts"
import type { Component } from "../components/component.ts"
import { containerd } from "../components/containerd.ts"
import { etcd } from "../components/etcd.ts"
import { kubelet } from "../components/kubelet.ts"
import { registry } from "../components/registry.ts"
import { scheduler } from "../components/scheduler.ts"
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
import { archivePath } from "./equipment.ts"
import type { Subject } from "../subjects/subject.ts"
import { ManagedComponent, type Surroundings } from "./managed-component.ts"

/** Ports on the machine's loopback; they are the workshop's own, since nobody else is in there. */
export const PORTS = { etcd: 2379, apiserver: 6443, scheduler: 10259, registry: 5000, kubelet: 10250 }

/** The image could not be put into the machine's registry. */
export class ImagePushError extends RemediedError {}

/** Certificates could not be made. */
export class PkiError extends RemediedError {}

/** A component that an earlier lesson brings up did not come up. */
export class BlockedError extends Error {
  /** The lesson that has to pass first. */
  readonly lesson: number
  constructor(lesson: number, cause: Error) {
    super(`blocked by lesson ${String(lesson).padStart(2, "0")}`, { cause })
    this.name = "BlockedError"
    this.lesson = lesson
  }
}

export interface ClusterOptions {
  readonly machine: Machine
  /** Needed from lesson 05 on. */
  readonly images: Images | undefined
  /** Milliseconds each component may take to become ready. */
  readonly patience: number
  /** Finds the known cause of a failure; without it no error names a cause. */
  readonly explain?: Explain
  /** Changes to components as they are described; none unless something is to be broken on purpose. */
  readonly alter?: ((component: Component) => Component) | undefined
}

/** Which components stand, in what order, and how they reach each other. */
export class Cluster implements Subject {
  readonly machine: Machine
  /** The administrator's bearer token, new for each cluster. */
  readonly token = randomBytes(16).toString("hex")
  readonly etcd
  readonly apiserver
  readonly scheduler
  readonly registry
  readonly containerd
  readonly kubelet
  readonly #images: Images | undefined
  #files: Promise<void> | undefined
  #runtime: Promise<void> | undefined
  #ca: Promise<Buffer> | undefined

  constructor({
    machine,
    images,
    patience,
    explain = () => Promise.resolve(undefined),
    alter = (component) => component,
  }: ClusterOptions) {
    this.machine = machine
    this.#images = images
    const surroundings: Surroundings = {
      machine,
      patience,
      token: this.token,
      ca: () => this.ca(),
      prepare: () => this.writeFiles(),
      explain,
      alter,
    }
    // Neither reads certificates or the kubeconfig.
    const alone: Surroundings = { ...surroundings, prepare: () => Promise.resolve() }
    this.etcd = new ManagedComponent(etcd, { dataDir: "/var/lib/etcd", port: PORTS.etcd }, alone)
    this.apiserver = new ManagedComponent(
      apiserver,
      { etcdPort: PORTS.etcd, port: PORTS.apiserver, token: this.token, storage: "json" },
      surroundings,
    )
    this.scheduler = new ManagedComponent(scheduler, { port: PORTS.scheduler }, surroundings)
    this.registry = new ManagedComponent(registry, { port: PORTS.registry }, alone)
    this.containerd = new ManagedComponent(
      containerd,
      { pauseImage: images?.pause.reference ?? "", registryPort: PORTS.registry, mayAdjustOomScore: false },
      surroundings,
    )
    this.kubelet = new ManagedComponent(kubelet, { port: PORTS.kubelet, nodeIp: machine.address }, surroundings)
  }

  /** The components in the order in which the lessons bring them up. */
  get components() {
    return [this.etcd, this.apiserver, this.scheduler, this.registry, this.containerd, this.kubelet] as const
  }

  /** What a diagnosis cannot see. */
  known(): Known[] {
    return this.components.map(({ known }) => known)
  }

  /**
   * Brings up what the lessons up to this one need, and brings back what is down.
   * @throws BlockedError where a component did not come up, now or when it was last tried
   */
  async upTo(lesson: number): Promise<void> {
    for (const component of this.components) {
      if (component.component.lesson > lesson) return
      if (component.isRunning) continue
      if (component.failure !== undefined) throw new BlockedError(component.component.lesson, component.failure)
      await (component === this.registry || component === this.containerd ? this.startRuntime() : component.start())
    }
  }

  /** Everything at once that may start at once: what waits, waits for what it needs and nothing else. */
  async up(): Promise<void> {
    const api = Promise.all([this.etcd.start(), this.apiserver.start()])
    const runtime = this.machine.privileged ? this.startRuntime() : Promise.resolve()
    await Promise.all([
      api.then(() => this.scheduler.start()),
      Promise.all([api, runtime]).then(() => (this.machine.privileged ? this.kubelet.start() : undefined)),
    ])
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
        server: `https://127.0.0.1:${PORTS.apiserver}`,
        ca: { file: pki.ca.certificate },
        token: this.token,
      }),
      0o600,
    )
  }

  /** The registry with the lessons' images in it, and containerd; may be called ahead of time. */
  startRuntime(): Promise<void> {
    this.#runtime ??= this.#startRuntime().finally(() => {
      this.#runtime = undefined
    })
    return this.#runtime
  }

  async #startRuntime(): Promise<void> {
    this.containerd.configure({
      mayAdjustOomScore: mayLowerOomScore((await this.machine.read("/proc/self/status")).toString()) === true,
    })
    await Promise.all([this.containerd.start(), this.serveImages()])
  }

  /** The registry with the lessons' images in it. */
  async serveImages(): Promise<void> {
    if (this.registry.isRunning) return
    await this.registry.start()
    await this.#pushImages()
  }

  async access(): Promise<Access> {
    return findAccess(this.machine, await findProcesses(this.machine))
  }

  async #pushImages(): Promise<void> {
    await Promise.all(
      (this.#images === undefined ? [] : [this.#images.pause, this.#images.nginx]).map(async ({ reference }) => {
        const [, ...path] = reference.split("/")
        const { exitCode, stderr } = await this.machine.run([
          "crane",
          "push",
          archivePath(reference),
          `127.0.0.1:${PORTS.registry}/${path.join("/")}`,
          "--insecure",
        ])
        if (exitCode !== 0)
          throw new ImagePushError(
            `${reference} could not be pushed to the registry on port ${PORTS.registry}: ${stderr.trim()}.`,
            "Remove the folder images in the cache and try again.",
          )
      }),
    )
  }

  /** The CA's certificate, PEM. */
  ca(): Promise<Buffer> {
    this.#ca ??= this.writeFiles().then(() => this.machine.read(pki.ca.certificate))
    return this.#ca
  }
}

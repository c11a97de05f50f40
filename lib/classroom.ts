import { command, type Command } from "./clients/command.ts"
import { kubernetes, type Kubernetes } from "./clients/kubernetes.ts"
import { Cluster, PORTS } from "./cluster/cluster.ts"
import { FIRST_LESSON_WITH_CONTAINERS, type Equipment } from "./cluster/equipment.ts"
import type { Machine } from "./machine/machine.ts"
import { startSandbox } from "./machine/sandbox.ts"
import { diagnose, unwell, type Unwell } from "./diagnosis/diagnose.ts"
import type { Finding } from "./diagnosis/finding.ts"
import { observe } from "./diagnosis/observe.ts"
import { sabotageOf } from "./sabotage/all.ts"
import { Saboteur } from "./sabotage/saboteur.ts"
import type { Settings } from "./settings.ts"

/** What the lessons of one run share: a machine, the cluster on it, and what a person would look with. */
export class Classroom implements AsyncDisposable {
  readonly equipment: Equipment
  readonly machine: Machine
  readonly cluster: Cluster
  readonly kubectl: Command
  readonly etcdctl: Command
  readonly etcdutl: Command
  readonly ctr: Command
  /** A line for the machine's shell. */
  readonly sh: (line: string) => Promise<string>
  /** Breaks things on purpose, where that is asked for. */
  readonly saboteur: Saboteur | undefined
  #kubernetes: Promise<Kubernetes> | undefined

  private constructor(machine: Machine, equipment: Equipment, settings: Settings) {
    this.machine = machine
    this.equipment = equipment
    this.saboteur = settings.sabotage === undefined ? undefined : new Saboteur(sabotageOf(settings.sabotage), machine, settings)
    this.cluster = new Cluster({ machine, images: equipment.images, patience: settings.patience, alter: this.saboteur?.alter })
    this.kubectl = command(machine, "kubectl")
    this.etcdctl = command(machine, "etcdctl")
    this.etcdutl = command(machine, "etcdutl")
    this.ctr = command(machine, "ctr")
    const shell = command(machine, "sh")
    this.sh = (line) => shell(`-ec '${line.replaceAll("'", `'"'"'`)}'`)
  }

  /**
   * Starts the machine.
   * @throws MachineStartError where this host cannot make one
   */
  static async open(equipment: Equipment, settings: Settings): Promise<Classroom> {
    const { machine } = await startSandbox({ name: "byhand", binds: equipment.binds, settings })
    const classroom = new Classroom(machine, equipment, settings)
    await classroom.saboteur?.atStart()
    // Nothing forbids containerd and the images to be ready before their lesson; a failure shows again when it comes.
    if (classroom.canRun(FIRST_LESSON_WITH_CONTAINERS) && equipment.images !== undefined) classroom.cluster.startRuntime().catch(() => undefined)
    return classroom
  }

  /** Whether this machine may do what a lesson needs. */
  canRun(lesson: number): boolean {
    return lesson < FIRST_LESSON_WITH_CONTAINERS || this.machine.privileged
  }

  /** Why something went wrong: the most telling finding, or, where nothing known fits, whatever is not well in its own words. */
  async explain(complaint: string): Promise<{ finding: Finding | undefined; unwell: Unwell[] }> {
    const seen = await observe(this.machine, this.cluster.known(), complaint)
    return { finding: diagnose(seen)[0], unwell: unwell(seen) }
  }

  /** The Kubernetes API through a forwarded port. */
  kubernetes(): Promise<Kubernetes> {
    this.#kubernetes ??= this.#connect()
    return this.#kubernetes
  }

  async #connect(): Promise<Kubernetes> {
    const { address } = await this.machine.forward(PORTS.apiserver)
    return kubernetes({ address, ca: await this.cluster.ca(), token: this.cluster.token })
  }

  /** Stops what a person would want to see stopped, then removes the machine and all in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.close()
  }
}

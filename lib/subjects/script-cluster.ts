import { setTimeout as sleep } from "node:timers/promises"
import { z } from "zod"
import { BlockedError, Cluster } from "../clusters/cluster.ts"
import type { Equipment } from "../clusters/equipment.ts"
import type { Subject } from "./subject.ts"
import type { ComponentName } from "../components/component.ts"
import type { Known } from "../clusters/known.ts"
import type { Explain } from "../failures/failure.ts"
import { findAccess, type Access } from "../components/discovery/access.ts"
import { findProcesses } from "../components/discovery/process.ts"
import { isReady } from "../components/discovery/readiness.ts"
import type { Exit, Machine } from "../machines/machine.ts"
import { Genuine } from "./genuine.ts"
import { HOME, layOut, type Folder, type Script } from "./folder.ts"
import { ScriptComponent, type Run } from "./script-component.ts"
import { Witnesses } from "./witnesses.ts"

/** Words by which a script's name tells what it starts. */
const SHORT: Readonly<Record<ComponentName, string>> = {
  etcd: "etcd",
  "kube-apiserver": "api",
  "kube-scheduler": "sched",
  registry: "registry",
  containerd: "containerd",
  kubelet: "kubelet",
}
const POLL_INTERVAL = 100
/** Which scripts have been run on the machine, and as they were. */
const STATE = "/run/byhand/scripts.json"
/** A Node would take the Pods that these lessons want to see wait. */
const WITHOUT_NODE: readonly number[] = [3, 4]

/** The cluster that a learner's start scripts make; whatever is to be known of it is seen from its processes. */
export class ScriptCluster implements Subject {
  readonly machine: Machine
  readonly etcd: ScriptComponent
  readonly apiserver: ScriptComponent
  readonly scheduler: ScriptComponent
  readonly containerd: ScriptComponent
  readonly kubelet: ScriptComponent
  readonly #folder: Folder
  readonly #patience: number
  readonly #runs = new Map<string, { run: Run; script: Script }>()
  /** Serves the images, which no lesson asks a learner for. */
  readonly #reference: Cluster
  readonly #hasImages: boolean
  readonly #witnesses: Witnesses
  #running: Promise<void> = Promise.resolve()
  /** undefined: not known, on a machine that was used before. */
  #isCordoned: boolean | undefined = false

  private constructor(
    machine: Machine,
    folder: Folder,
    equipment: Equipment,
    patience: number,
    genuine: Genuine,
    witnesses: Witnesses,
    explain: Explain,
  ) {
    this.machine = machine
    this.#folder = folder
    this.#patience = patience
    this.#witnesses = witnesses
    this.#hasImages = equipment.images !== undefined
    this.#reference = new Cluster({ machine, images: equipment.images, patience, explain })
    const part = (name: ComponentName, lesson: number) =>
      new ScriptComponent(name, lesson, {
        machine,
        patience,
        genuine,
        explain,
        runScripts: (upTo) => this.#runScripts(upTo),
        runOf: (wanted) => this.#runOf(wanted, lesson),
      })
    this.etcd = part("etcd", 1)
    this.apiserver = part("kube-apiserver", 2)
    this.scheduler = part("kube-scheduler", 4)
    this.containerd = part("containerd", 5)
    this.kubelet = part("kubelet", 5)
  }

  /** Copies the folder to the machine; none of its scripts runs yet. */
  static async open(
    machine: Machine,
    folder: Folder,
    equipment: Equipment,
    patience: number,
    explain: Explain,
  ): Promise<ScriptCluster> {
    await layOut(machine, folder)
    const cluster = new ScriptCluster(
      machine,
      folder,
      equipment,
      patience,
      new Genuine(machine, equipment),
      await Witnesses.remember(machine),
      explain,
    )
    await cluster.#takeOver()
    return cluster
  }

  /** On a machine that was used before: what a script has started that has not changed since goes on; the rest is ended, to be started anew. */
  async #takeOver(): Promise<void> {
    const before = await this.machine.read(STATE).catch(() => undefined) // A new machine has none.
    if (before === undefined) return
    this.#isCordoned = undefined
    const fingerprints = z.record(z.string(), z.string()).parse(JSON.parse(before.toString()))
    const processes = await findProcesses(this.machine)
    for (const component of this.components) component.see(processes)
    if (this.#answers) await this.#tidy() // While it can be done: whatever stands on a component that ends hangs for a while.
    for (const script of this.#folder.scripts) {
      const own = this.#componentsOf(script)
      if (fingerprints[script.name] === script.fingerprint && own.some(({ isRunning }) => isRunning)) {
        this.#runs.set(script.name, { run: { name: script.name, log: logFor(script), exit: undefined }, script })
      } else for (const component of own) await this.#discard(component)
    }
  }

  /** Whether the API may be expected to. */
  get #answers(): boolean {
    return this.etcd.isRunning && this.apiserver.isRunning
  }

  async #discard(component: ScriptComponent): Promise<void> {
    await component.discard()
    const access = component === this.kubelet && this.#answers ? await this.access().catch(() => undefined) : undefined
    // Its Node would pass for one that the next kubelet has registered.
    if (access !== undefined)
      await this.machine.run([
        "kubectl",
        "--kubeconfig",
        access.kubeconfig,
        "--request-timeout=5s",
        "delete",
        "node",
        "--all",
      ])
  }

  /** What a lesson that ended half-way has left in the cluster. */
  async #tidy(): Promise<void> {
    const access = await this.access().catch(() => undefined)
    if (access === undefined) return // Nobody lets us in: the lessons will tell.
    const kubectl = (...words: string[]) =>
      this.machine.run(["kubectl", "--request-timeout=5s", ...words], { env: { KUBECONFIG: access.kubeconfig } })
    await Promise.all([
      kubectl("delete", "pods,configmaps,secrets", "--all", "--force", "--grace-period=0", "--wait=false"),
      kubectl("delete", "node/paper", "--ignore-not-found"),
      kubectl("delete", "lease/kube-scheduler", "--namespace=kube-system", "--ignore-not-found"),
    ])
  }

  get components() {
    return [this.etcd, this.apiserver, this.scheduler, this.containerd, this.kubelet] as const
  }

  known(): Known[] {
    return this.components.map(({ known }) => known)
  }

  async upTo(lesson: number): Promise<void> {
    await this.#witnesses.check()
    const processes = await findProcesses(this.machine)
    for (const component of this.components) component.see(processes)
    for (const component of this.components) {
      if (component.lesson > lesson) break
      if (component.failure !== undefined) throw new BlockedError(component.lesson, component.failure)
      if (!component.isUp) await component.start()
    }
    if (this.kubelet.isRunning && this.#answers) await this.#cordon(WITHOUT_NODE.includes(lesson))
  }

  /** One script may have started everything at once: then the Node is there too early, and takes no Pod until it is due. */
  async #cordon(isEarly: boolean): Promise<void> {
    if (isEarly === this.#isCordoned) return
    const access = await this.access().catch(() => undefined)
    if (access === undefined) return // Nobody lets us in: the lessons will tell.
    await this.machine.run(
      [
        "sh",
        "-c",
        `kubectl get nodes --output=name | xargs --no-run-if-empty kubectl ${isEarly ? "cordon" : "uncordon"}`,
      ],
      { env: { KUBECONFIG: access.kubeconfig } },
    )
    this.#isCordoned = isEarly
  }

  async startRuntime(): Promise<void> {
    await this.containerd.start()
  }

  async access(): Promise<Access> {
    return findAccess(this.machine, await findProcesses(this.machine))
  }

  /** One after another: two components of one lesson must not run its scripts twice. */
  #runScripts(lesson: number): Promise<void> {
    this.#running = this.#running
      .catch(() => undefined)
      .then(async () => {
        if (this.machine.privileged && this.#hasImages) await this.#serveImages()
        for (const script of this.#folder.scripts)
          if (script.lesson <= lesson && !this.#runs.has(script.name)) await this.#run(script)
      })
    return this.#running
  }

  /** On a machine that was used before they are served already. */
  async #serveImages(): Promise<void> {
    if ((await findProcesses(this.machine)).some(({ name }) => name === "registry")) return
    await this.#reference.serveImages()
  }

  async #run(script: Script): Promise<void> {
    const log = logFor(script)
    const spawned = await this.machine.spawn(["bash", `./${script.name}`], { log, cwd: HOME })
    const run: { name: string; log: string; exit: Exit | undefined } = { name: script.name, log, exit: undefined }
    void spawned.exit.then((exit) => {
      run.exit = exit
    })
    this.#runs.set(script.name, { run, script })
    await this.machine.write(
      STATE,
      JSON.stringify(
        Object.fromEntries([...this.#runs.values()].map((one) => [one.script.name, one.script.fingerprint])),
      ),
    )
    await this.#settles(script, run)
  }

  /** The next script may count on what this one starts: waits until that is ready, or the script has ended, or time is up. */
  async #settles(script: Script, run: Run): Promise<void> {
    const deadline = performance.now() + this.#patience
    const own = this.#componentsOf(script).map(({ name }) => name)
    while (run.exit === undefined && performance.now() < deadline) {
      const processes = await findProcesses(this.machine)
      const started = processes.find(({ name }) => own.includes(name))
      if (started !== undefined && (await isReady(this.machine, started, processes))) return
      await sleep(POLL_INTERVAL)
    }
  }

  /** What a script starts: the components that its name tells, or else those of its lesson that no other script's name does. */
  #componentsOf(script: Script): ScriptComponent[] {
    const named = this.components.filter(({ name }) => script.name.includes(SHORT[name]))
    if (named.length > 0) return named
    return this.components.filter(
      ({ name, lesson }) =>
        lesson === script.lesson && !this.#folder.scripts.some((other) => other.name.includes(SHORT[name])),
    )
  }

  /** The script whose name tells that it starts a component; else the last one that was run for its lesson or an earlier one. */
  #runOf(name: ComponentName, lesson: number): Run | undefined {
    const runs = [...this.#runs.values()].filter(({ script }) => script.lesson <= lesson)
    return (runs.find(({ script }) => script.name.includes(SHORT[name])) ?? runs.at(-1))?.run
  }
}

function logFor({ name }: Script): string {
  return `/var/log/byhand/${name}.log`
}

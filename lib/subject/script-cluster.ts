import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { pipeline } from "node:stream/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { BlockedError, Cluster } from "../cluster/cluster.ts"
import type { Equipment } from "../cluster/equipment.ts"
import type { Subject } from "../cluster/subject.ts"
import type { ComponentName } from "../components/component.ts"
import type { Known } from "../diagnosis/observe.ts"
import { findAccess, type Access } from "../discovery/access.ts"
import { findProcesses, type FoundProcess } from "../discovery/process.ts"
import { isReady } from "../discovery/readiness.ts"
import type { Exit, Machine } from "../machine/machine.ts"
import { HOME, layOut, type Folder, type Script } from "./folder.ts"
import { ScriptComponent, type Run } from "./script-component.ts"

/** Words by which a script's name tells what it starts. */
const SHORT: Readonly<Record<ComponentName, string>> = {
  "etcd": "etcd", "kube-apiserver": "api", "kube-scheduler": "sched", "registry": "registry", "containerd": "containerd", "kubelet": "kubelet",
}
const POLL_INTERVAL = 100
/** The first lesson that needs images. */
const NEEDS_IMAGES = 5
/** A Node would bind the Pods that this lesson wants to see wait. */
const WITHOUT_NODE = 4

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
  #running: Promise<void> = Promise.resolve()

  private constructor(machine: Machine, folder: Folder, equipment: Equipment, patience: number, digests: ReadonlyMap<ComponentName, string>) {
    this.machine = machine
    this.#folder = folder
    this.#patience = patience
    this.#reference = new Cluster({ machine, images: equipment.images, patience })
    const part = (name: ComponentName, lesson: number) => new ScriptComponent(name, lesson, {
      machine, patience, digests, known: () => this.known(), runScripts: (upTo) => this.#runScripts(upTo), runOf: (wanted) => this.#runOf(wanted, lesson) })
    this.etcd = part("etcd", 1)
    this.apiserver = part("kube-apiserver", 2)
    this.scheduler = part("kube-scheduler", 4)
    this.containerd = part("containerd", 5)
    this.kubelet = part("kubelet", 5)
  }

  /** Lays the folder out on the machine; nothing of it is run yet. */
  static async open(machine: Machine, folder: Folder, equipment: Equipment, patience: number): Promise<ScriptCluster> {
    const programs: readonly ComponentName[] = ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"]
    const digests = await Promise.all(programs.flatMap((name) => {
      const source = equipment.binds.find(({ target }) => target === `/usr/local/bin/${name}`)?.source
      return source === undefined ? [] : [digest(source).then((sha256) => [name, sha256] as const)]
    }))
    await layOut(machine, folder)
    return new ScriptCluster(machine, folder, equipment, patience, new Map(digests))
  }

  get components() {
    return [this.etcd, this.apiserver, this.scheduler, this.containerd, this.kubelet] as const
  }

  known(): Known[] {
    return this.components.map(({ known }) => known)
  }

  async upTo(lesson: number): Promise<void> {
    const processes = await findProcesses(this.machine)
    for (const component of this.components) component.see(processes)
    for (const component of this.components) {
      if (component.lesson > lesson) break
      if (component.failure !== undefined) throw new BlockedError(component.lesson, component.failure)
      await component.start()
    }
    if (lesson === WITHOUT_NODE && this.kubelet.isRunning) await this.#withoutNode()
  }

  /** One script may have started everything at once. */
  async #withoutNode(): Promise<void> {
    await this.kubelet.kill()
    const { kubeconfig } = await this.access()
    await this.machine.run(["kubectl", "--kubeconfig", kubeconfig, "delete", "node", "--all"])
  }

  async startRuntime(): Promise<void> {
    await this.containerd.start()
  }

  async access(): Promise<Access> {
    return findAccess(this.machine, await findProcesses(this.machine))
  }

  /** One after another: two components of one lesson must not run its scripts twice. */
  #runScripts(lesson: number): Promise<void> {
    this.#running = this.#running.catch(() => undefined).then(async () => {
      if (lesson >= NEEDS_IMAGES) await this.#reference.serveImages()
      for (const script of this.#folder.scripts) if (script.lesson <= lesson && !this.#runs.has(script.name)) await this.#run(script)
    })
    return this.#running
  }

  async #run(script: Script): Promise<void> {
    const log = `/var/log/byhand/${script.name}.log`
    const spawned = await this.machine.spawn(["bash", `./${script.name}`], { log, cwd: HOME })
    const run: { name: string; log: string; exit: Exit | undefined } = { name: script.name, log, exit: undefined }
    void spawned.exit.then((exit) => { run.exit = exit })
    this.#runs.set(script.name, { run, script })
    await this.#settles(script, run)
  }

  /** The next script may count on what this one starts: waits until that is ready, or the script has ended, or time is up. */
  async #settles(script: Script, run: Run): Promise<void> {
    const deadline = performance.now() + this.#patience
    const isOwn = (process: FoundProcess) => script.name.includes(SHORT[process.name])
    while (run.exit === undefined && performance.now() < deadline) {
      const processes = await findProcesses(this.machine)
      const own = processes.find(isOwn)
      if (own !== undefined && await isReady(this.machine, own, processes)) return
      await sleep(POLL_INTERVAL)
    }
  }

  /** The script whose name tells that it starts a component; else the last one that was run for its lesson or an earlier one. */
  #runOf(name: ComponentName, lesson: number): Run | undefined {
    const runs = [...this.#runs.values()].filter(({ script }) => script.lesson <= lesson)
    return (runs.find(({ script }) => script.name.includes(SHORT[name])) ?? runs.at(-1))?.run
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256")
  await pipeline(createReadStream(path), hash)
  return hash.digest("hex")
}

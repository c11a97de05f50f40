import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { z } from "zod"
import { Pace } from "../base/pace.ts"
import { canRun, Cluster, type DiagnosisOn } from "../clusters/cluster.ts"
import { Disturbances } from "../clusters/disturbances.ts"
import { Further } from "../clusters/further.ts"
import { BlockedError, ComponentError } from "../clusters/errors.ts"
import { problemOf } from "../base/errors.ts"
import type { Artifacts } from "../clusters/artifacts.ts"
import type { Part } from "../clusters/part.ts"
import type { Stage } from "../clusters/stage.ts"
import { standInFor } from "./stand-in.ts"
import type { StandIn, Subject } from "./subject.ts"
import { dependenciesOf, learnersSpecs, specOf, specs, type ComponentName } from "../components/registry.ts"
import type { Known } from "../clusters/known.ts"
import type { Explain, NotReady, ScriptPlace } from "../failures/failure.ts"
import { Wait, type Foresee } from "../failures/wait.ts"
import { reportComponent } from "../components/component-event.ts"
import { findAccess, NoAccessError, type Access } from "../components/discovery/access.ts"
import { findProcesses, type FoundProcess } from "../components/discovery/process.ts"
import { ask, type ProbeAnswer } from "../clients/probe.ts"
import { sockets } from "../clients/sockets.ts"
import { probeOf } from "../components/discovery/settings.ts"
import type { Exit, Machine } from "../machines/machine.ts"
import { isMachineName, type MachineName, type Network } from "../machines/network.ts"
import { Genuine } from "./genuine.ts"
import { HOME, layOut, lessonNumberOf, type Folder, type Script } from "./folder.ts"
import type { Around, Run } from "./around.ts"
import { kubeadmEnds } from "./kubeadm-ends.ts"
import { Nodes, tidy } from "./nodes.ts"
import type { OwnValues } from "./own-values.ts"
import { ScriptComponent } from "./script-component.ts"
import { Sightings } from "./sightings.ts"
import { lastWith, Trace } from "./trace.ts"
import { AGREEING, FIRST_COMEBACK, isThere, stuckPlace } from "./ending.ts"
import { Witnesses } from "./witnesses.ts"

const POLL_INTERVAL = 100
/** How long a component may take to find out that an older process of it has its port (milliseconds). */
const BESIDE = 3_000
/** The file with the names and fingerprints of the scripts that have run on the machine; on the first one, on all. */
const STATE = "/run/byhand/scripts.json"
/** The file with the path of etcd's data folder, which is known only while etcd runs. */
const DATA_STATE = "/run/byhand/etcd-data"
/** The file on a further machine with the names and fingerprints of all scripts of the folder. */
const FOLDER_STATE = "/run/byhand/folder"

export interface ScriptClusterOptions {
  readonly machine: Machine
  readonly folder: Folder
  readonly artifacts: Artifacts
  /** The longest time that a component may take to become ready (milliseconds). */
  readonly patience: number
  /** Finds the known cause of a failure while the broken process still exists. */
  readonly explain: Explain
  /** Looks for causes that no time heals while a component is awaited. By default there are none. */
  readonly foresee?: Foresee | undefined
  /**
   * Returns the number of the script that must start a component on a machine, such as 2 for 02-apiserver.sh. Scripts
   * with a lower number run before it.
   */
  readonly scriptNumberOf: (name: ComponentName, machine: MachineName | undefined) => number
  /** The numbers of the scripts that change how components are started; none by default. */
  readonly changeNumbers?: readonly number[]
  /** The values that the cluster must have. By default a learner may choose all of them. */
  readonly own?: OwnValues | undefined
  /** The machines of the run. Without it, the cluster has only its own machine. */
  readonly network?: Network | undefined
  /** Explains what happens on a further machine. By default, no error there names a cause. */
  readonly diagnosisOn?: DiagnosisOn | undefined
}

/** The cluster that a learner's scripts start. Everything that the lessons know about it is read from its processes. */
export class ScriptCluster implements Subject {
  readonly machine: Machine
  readonly permits = "destroy"
  readonly parts: readonly ScriptComponent[]
  readonly #scriptNumberOf: (name: ComponentName) => number
  readonly #changeNumbers: readonly number[]
  readonly #folder: Folder
  /** The scripts that run on this machine, in order. */
  readonly #scripts: readonly Script[]
  readonly #options: ScriptClusterOptions
  /** The cluster of the first machine; undefined if this is it. */
  readonly #first: ScriptCluster | undefined
  /** The same cluster on further machines. */
  readonly #further: Further<ScriptCluster>
  readonly #patience: number
  readonly #foresee: Foresee | undefined
  readonly #runs = new Map<string, { run: Run; script: Script }>()
  /** The fingerprints of the scripts that have run, by their names; on the first machine, of all. */
  readonly #remembered = new Map<string, string>()
  /** The names of the scripts that have run, on all machines. */
  readonly #ran: Set<string>
  /** The runs that failed while no component of theirs was awaited, until they are reported. */
  readonly #failedRuns: Run[] = []
  /** The runs of scripts that change how components are started. */
  readonly #changes: Run[] = []
  /** Why the scripts of a stage have failed, by its number. */
  readonly #stageFailures = new Map<number, ComponentError>()
  /** Runs the components that the course provides, such as the image registry. */
  readonly #reference: Cluster
  readonly #hasImages: boolean
  readonly #witnesses: Witnesses
  readonly #sightings: Sightings
  /** Whether the components that the course provides were started. */
  #servesImages = false
  #running: Promise<void> = Promise.resolve()
  /** Why each component was replaced by ours. */
  readonly #standIns = new Map<ComponentName, string>()
  readonly #nodes: Nodes

  private constructor(options: ScriptClusterOptions, witnesses: Witnesses, first: ScriptCluster | undefined) {
    const { machine, folder, artifacts, patience, explain, foresee, scriptNumberOf, changeNumbers = [] } = options
    const name = first === undefined || !isMachineName(machine.name) ? undefined : machine.name
    this.machine = machine
    this.#options = options
    this.#first = first
    this.#further = new Further(options.network, (further, network) => this.#openOn(further, network))
    this.#ran = first === undefined ? new Set() : first.#ran
    this.#folder = folder
    this.#scripts = folder.scripts.filter((script) => script.machine === name)
    this.#patience = patience
    this.#foresee = foresee
    this.#scriptNumberOf = (component) => scriptNumberOf(component, name)
    this.#changeNumbers = changeNumbers
    this.#witnesses = witnesses
    this.#hasImages = artifacts.images !== undefined
    this.#reference = new Cluster({ machine, images: artifacts.images, patience, explain, foresee })
    this.#sightings = new Sightings(machine)
    this.#nodes = new Nodes(machine, () => this.access())
    const around: Around = {
      machine,
      sightings: this.#sightings,
      disturbances: new Disturbances(),
      patience,
      genuine: new Genuine(machine, artifacts),
      own: first === undefined ? options.own : undefined, // Members of etcd on other machines have other names.
      explain,
      foresee,
      administrator: () => this.access(),
      runScripts: (name: ComponentName) => this.#runScripts(name),
      runOf: (name: ComponentName) => this.#runOf(name),
      missingScript: (name: ComponentName) => this.#missingScript(name),
    }
    this.parts = learnersSpecs.map(({ name }) => new ScriptComponent(name, around))
  }

  /** Copies the folder to the machine. No script runs yet. */
  static async open(options: ScriptClusterOptions, first?: ScriptCluster): Promise<ScriptCluster> {
    await layOut(options.machine, options.folder)
    const cluster = new ScriptCluster(options, await Witnesses.remember(options.machine), first)
    await cluster.#takeOver()
    return cluster
  }

  /** See Subject. */
  async on(name: string): Promise<ScriptCluster> {
    if (this.#first !== undefined) return this.#first.on(name)
    return name === this.machine.name ? this : this.#further.on(name)
  }

  /**
   * A further machine that was used before is used again only if no script of the folder has changed: its components
   * depend on those of the other machines.
   */
  async #openOn(given: Machine, network: Network): Promise<ScriptCluster> {
    const whole = this.#folder.scripts.map(({ name, fingerprint }) => `${name} ${fingerprint}`).join("\n")
    const before = await given.read(FOLDER_STATE).catch(() => undefined) // A new machine has no such file.
    if (before !== undefined && before.toString() !== whole) await given.close()
    const machine = await network.machine(given.name)
    await machine.write(FOLDER_STATE, whole)
    const explained = this.#options.diagnosisOn?.(machine, () => opened.known())
    const opened: ScriptCluster = await ScriptCluster.open({ ...this.#options, ...explained, machine }, this)
    return opened
  }

  /**
   * Continues on a machine that was used before. Components that unchanged scripts have started keep running. The other
   * components are ended, and their scripts run again later.
   */
  async #takeOver(): Promise<void> {
    const before = await this.machine.read(STATE).catch(() => undefined) // A new machine has no such file.
    if (before === undefined) return
    this.#nodes.forget()
    const fingerprints = z.record(z.string(), z.string()).parse(JSON.parse(before.toString()))
    const processes = await findProcesses(this.machine)
    for (const component of this.parts) component.see(processes)
    // The learner's own component gets its chance again.
    for (const component of this.parts) if (component.isStandIn) await component.discard()
    // This must happen before components end, because requests to a component that has ended hang for a while.
    if (this.#answers) await tidy(this.machine, () => this.access())
    const isChange = ({ number }: Script) => this.#changeNumbers.includes(number)
    const isSame = ({ name, fingerprint }: Script) => fingerprints[name] === fingerprint
    // Components that were changed by a script can only be started anew in the order of all scripts.
    const ran = this.#folder.scripts.filter(({ name }) => name in fingerprints)
    const isOutdated = ran.some(isChange) && !ran.every(isSame)
    if (!isOutdated) for (const script of ran.filter(isSame)) this.#remembered.set(script.name, script.fingerprint)
    const discarded = new Set<ComponentName>()
    for (const script of this.#scripts) {
      // A later lesson's script that has never run has started nothing, although its name can contain a component.
      if (isChange(script) && !(script.name in fingerprints)) continue
      const own = this.#componentsOf(script)
      const isKept = isSame(script) && (isChange(script) || own.some(({ isRunning }) => isRunning))
      // The lesson of both begins anew: a kubelet would go on with what it has asked an earlier containerd.
      const isStale = dependenciesOf(own.map(({ name }) => name)).some(
        ({ name }) => discarded.has(name) && this.#scriptNumberOf(name) === script.number,
      )
      if (isKept && !isOutdated && !isStale) {
        const run = { name: script.name, log: logFor(script), exit: undefined, pid: undefined, trace: undefined }
        this.#runs.set(script.name, { run: { ...run, seenBefore: 0 }, script })
        this.#ran.add(script.name)
      } else {
        await this.#endScript(script)
        for (const component of own) {
          await this.#discard(component)
          discarded.add(component.name)
        }
      }
    }
    if (isOutdated) await this.#forget()
  }

  /**
   * Ends the further machines, and deletes the data of etcd. Members on other machines would go on with the earlier
   * cluster, and the first scripts cannot read what lesson 08 has encrypted.
   */
  async #forget(): Promise<void> {
    const { network } = this.#options
    if (this.#first === undefined && network !== undefined)
      for (const name of await network.running()) await (await network.machine(name)).close()
    const folder = await this.machine.read(DATA_STATE).catch(() => undefined) // etcd has never been ready.
    if (folder !== undefined) await this.machine.run(["rm", "-rf", join(folder.toString(), "member")])
  }

  /** Ends a script of an earlier attempt that still runs, for example in a loop that waits for its component. */
  async #endScript({ name }: Script): Promise<void> {
    const { stdout } = await this.machine.run(["ps", "-e", "-o", "pid=,args="])
    const pids = stdout.split("\n").flatMap((line) => {
      const [, pid, args] = /^\s*(\d+) (.*?)\s*$/.exec(line) ?? []
      return pid !== undefined && args === commandOf(name).join(" ") ? [pid] : []
    })
    if (pids.length > 0) await this.machine.run(["kill", "-KILL", ...pids])
  }

  /** Whether kube-apiserver can be expected to answer: it and etcd run. */
  get #answers(): boolean {
    return this.part("etcd").isRunning && this.part("kube-apiserver").isRunning
  }

  async #discard(component: ScriptComponent): Promise<void> {
    await component.discard()
    if (component.name === "kubelet") this.#nodes.outdate()
    if (this.#answers) await this.#nodes.deleteOld()
  }

  part<Name extends ComponentName>(name: Name): Part<Name> {
    const own = this.parts.find((part) => part.name === name)
    // The compiler cannot infer that the part with this name has this type.
    return (own as unknown as Part<Name> | undefined) ?? this.#reference.part(name)
  }

  known(): Known[] {
    return this.parts.map(({ known }) => known)
  }

  async waiting(): Promise<readonly ScriptPlace[]> {
    const processes = await findProcesses(this.machine)
    const places = await Promise.all([...this.#runs.values()].map(({ run }) => stuckPlace(run, processes)))
    return places.filter((place) => place !== undefined)
  }

  async ensure(names: readonly ComponentName[]): Promise<void> {
    await this.#witnesses.check()
    const processes = await findProcesses(this.machine)
    for (const component of this.parts) component.see(processes)
    // A program can have ended what the course provides.
    if (this.#servesImages) await this.#serveImages(processes)
    const failed = this.#failedRuns.shift()
    if (failed !== undefined) throw await this.#lastToStart.notStartedBy(failed)
    // On a further machine, components use the others over the network.
    const wanted = dependenciesOf(names).filter(({ name }) => this.#first === undefined || names.includes(name))
    const isWanted = (name: ComponentName) => wanted.some((one) => one.name === name)
    for (const component of this.parts) {
      if (!isWanted(component.name)) continue
      const exit = await component.unexpectedExit()
      if (exit !== undefined) throw exit
      if (component.failure !== undefined) throw new BlockedError(component.name, component.failure)
      if (!component.isUp) {
        await component.start()
        if (component.name === "etcd") await this.machine.write(DATA_STATE, this.part("etcd").settings.dataDir)
      }
      if (component.name === "kube-apiserver" && this.#answers) await this.#nodes.deleteOld()
    }
    const scripts = [...this.#runs.values()].map(({ run }) => run)
    await kubeadmEnds(
      this.machine,
      scripts.filter(({ exit, pid }) => exit === undefined && !processes.some((process) => process.pid === pid)),
      this.#first === undefined ? () => this.access() : undefined,
    )
    if (this.#first === undefined && this.part("kubelet").isRunning && this.#answers)
      await this.#nodes.cordon(!isWanted("kubelet"), isWanted("kube-scheduler"))
  }

  get standIns(): readonly StandIn[] {
    // A later script of the learner may have started its own instead.
    return this.parts.flatMap(({ name, isStandIn }) => {
      const reason = isStandIn ? this.#standIns.get(name) : undefined
      return reason === undefined ? [] : [{ component: name, reason }]
    })
  }

  async standIn(name: ComponentName): Promise<void> {
    const part = this.parts.find((one) => one.name === name)
    if (part === undefined) throw new TypeError(`${name} is not started by scripts`)
    const reason = problemOf(part.failure)
    const learners = part.attempted
    await this.#endStarted(part)
    // They would keep their connections to the old one, and what they have read from it.
    for (const other of this.parts)
      if (other.isRunning && other !== part && dependenciesOf([other.name]).some((one) => one.name === name))
        await other.kill()
    const ours = await standInFor(await this.#reference.describe(name), {
      machine: this.machine,
      texts: await this.#textsBeside(part),
      learners,
      part: (one) => this.part(one),
      access: () => this.access(),
      token: this.#reference.token,
    })
    this.#standIns.set(name, reason)
    reportComponent({ type: "component replaced", component: name, reason })
    await part.replaceBy(ours)
  }

  /**
   * Ends what the script of a component has started, so that it neither holds the component's port nor starts the
   * component again. Other components, and what has started them, keep running.
   */
  async #endStarted({ name }: ScriptComponent): Promise<void> {
    const processes = await findProcesses(this.machine)
    const { stdout } = await this.machine.run(["ps", "-e", "-o", "pid=,ppid=,sess="])
    const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number))
    const parents = new Map(rows.map(([pid = 0, parent = 0]) => [pid, parent]))
    const kept = new Set<number>()
    for (const other of processes.filter((one) => one.name !== name))
      for (let pid = other.pid; pid > 1; pid = parents.get(pid) ?? 0) kept.add(pid)
    const own = processes.filter((one) => one.name === name).map(({ pid }) => pid)
    const script = this.#runOf(name)?.pid // Each script is the leader of a session.
    const ended = rows.flatMap(([pid = 0, , session]) =>
      !kept.has(pid) && (own.includes(pid) || (script !== undefined && session === script)) ? [String(pid)] : [],
    )
    if (ended.length > 0) await this.machine.run(["kill", "-KILL", ...ended])
    for (const pid of own) while (await isThere(this.machine, pid)) await sleep(POLL_INTERVAL / 4)
  }

  /** The texts of the learner's files, except the scripts that start this component. */
  async #textsBeside(part: ScriptComponent): Promise<string[]> {
    const { path, files } = this.#folder
    const own = this.#scripts.filter((script) => this.#componentsOf(script).includes(part)).map(({ name }) => name)
    const others = files.filter(({ name }) => !own.includes(name) && !/\.(md|json)$/.test(name))
    return Promise.all(others.map(({ name }) => readFile(join(path, name), "utf8")))
  }

  async forgetExits(): Promise<void> {
    const processes = await findProcesses(this.machine)
    for (const component of this.parts) {
      component.see(processes)
      component.forgetExit()
    }
  }

  canEnter(number: number): boolean {
    return this.#folder.files.some(({ name }) => lessonNumberOf(name) === number)
  }

  async enter(stages: readonly Stage[]): Promise<void> {
    for (const stage of stages) {
      const failure = this.#stageFailures.get(stage.number)
      if (failure !== undefined) throw new BlockedError(failure.component, failure)
      // Where the lesson is the first that needs components on this machine, its scripts start them.
      if (this.#first !== undefined && this.parts.some(({ name }) => this.#scriptNumberOf(name) === stage.number))
        continue
      const scripts = this.#pending(({ number }) => number === stage.number)
      if (scripts.length === 0) continue
      // The scripts of earlier lessons come first.
      await this.ensure(stage.components.filter((name) => canRun(name, this.machine)))
      try {
        for (const script of scripts) await this.#sightings.during(() => this.#runChange(script, stage))
      } catch (error) {
        if (error instanceof ComponentError) this.#stageFailures.set(stage.number, error)
        throw error
      }
    }
  }

  /**
   * Runs a script that ends components and starts them in another way.
   * @throws ComponentError if the script fails, or a component that it has started
   */
  async #runChange(script: Script, stage: Stage): Promise<void> {
    for (const part of this.parts) part.renew()
    const before = (await findProcesses(this.machine)).map(({ pid }) => pid)
    const run = await this.#run(script)
    this.#changes.push(run)
    const waited = await this.#changeEnds(run)
    for (const part of this.parts) part.renew()
    const changed = this.parts.filter(({ name }) => stage.changed.includes(name))
    if (run.exit === undefined && waited !== undefined) {
      const processes = await findProcesses(this.machine)
      for (const part of this.parts) part.see(processes)
      const place = await stuckPlace(run, processes)
      if (place !== undefined && changed[0] !== undefined) throw await changed[0].stuckIn(run, place, waited)
    }
    if (run.exit === undefined || run.exit.code === 0) return this.#checkReplaced(run, before)
    const hasStarted = ({ name }: ScriptComponent) => this.#sightings.has(name, run.seenBefore)
    const [processes, commands = []] = await Promise.all([findProcesses(this.machine), run.trace?.commands()])
    for (const part of this.parts) {
      part.see(processes)
      // Its failure is the cause, if the script has started it. A process can end before a look sees it.
      if (hasStarted(part) || lastWith(commands, part.name) !== undefined) await part.start()
    }
    const first =
      changed.find(({ isRunning }) => !isRunning) ?? changed.findLast((part) => hasStarted(part)) ?? changed[0]
    if (first !== undefined) throw await first.notStartedBy(run)
  }

  /**
   * Checks that the components that a script has started did not end because older processes of them still run.
   * @param before the pids of components before the script ran
   * @throws ComponentError
   */
  async #checkReplaced(run: Run, before: readonly number[]): Promise<void> {
    // A component that starts another program looks like a second process of itself for a moment.
    const own = ({ name }: ScriptComponent) =>
      this.#sightings.of(name, run.seenBefore).filter(({ parent }) => !before.includes(parent))
    for (const deadline = performance.now() + BESIDE; ; await sleep(POLL_INTERVAL)) {
      const old = (await findProcesses(this.machine)).filter(({ pid }) => before.includes(pid))
      const both = this.parts.filter((part) => own(part).length > 0 && old.some(({ name }) => name === part.name))
      for (const part of both) {
        const last = own(part).at(-1)
        if (last !== undefined && own(part).every(({ noticed }) => noticed !== undefined))
          throw await part.endedBeside(run, last)
      }
      // One that goes on can run beside the old one, such as a second member of etcd.
      if (both.length === 0 || performance.now() > deadline) return
    }
  }

  /**
   * Waits until a script ends, until it only waits for what it has started and that is ready, until a component that it
   * has started cannot become ready any more, or until the timeout passes.
   * @returns the time that it waited in vain, although all that the script has started is ready (milliseconds)
   */
  async #changeEnds(run: Run): Promise<number | undefined> {
    let unready: { readonly name: ComponentName; readonly answer: string; readonly logPath: string } | undefined
    const since = performance.now()
    let waitsSince: number | undefined
    const isOver = await this.#lookUntil(
      run,
      `${run.name} ends`,
      () => unready,
      async (processes) => {
        const own = processes.filter(({ name, pid }) =>
          this.#sightings.of(name, run.seenBefore).some((one) => one.pid === pid),
        )
        unready = undefined
        for (const process of own) {
          const { isWell, answer } = await this.#ask(process, processes)
          if (isWell && process.pid === run.pid) return true // The script became this component with exec.
          if (!isWell) unready ??= { name: process.name, answer, logPath: run.log }
        }
        const waits = own.length > 0 && unready === undefined && (await stuckPlace(run, own)) === undefined
        waitsSince = waits ? (waitsSince ?? performance.now()) : undefined
        return waitsSince !== undefined && performance.now() - waitsSince > AGREEING
      },
    )
    return isOver || unready !== undefined ? undefined : performance.now() - since
  }

  async access(): Promise<Access> {
    if (this.#first !== undefined) return this.#first.access()
    return findAccess(this.machine, await findProcesses(this.machine))
  }

  /**
   * Runs the scripts for a component, one after another. Concurrent calls wait for each other, so that no script runs
   * twice.
   */
  #runScripts(name: ComponentName): Promise<void> {
    const last = this.#scriptNumberOf(name)
    return this.#queued(async () => {
      if (this.machine.privileged && this.#hasImages && this.#needsImages)
        await this.#serveImages(await findProcesses(this.machine))
      const scripts = this.#pending((script) => script.number <= last)
      for (const script of scripts) {
        // Scripts of the first machine prepare what those that follow in the order of names need on further machines.
        if (this.#first !== undefined) await this.#first.#runPending((other) => other.name < script.name)
        const run = await this.#run(script)
        // The caller itself waits for what the last script starts.
        if (script !== scripts.at(-1)) await this.#settles(script, run)
      }
      // What the caller waits for can need them: one may let a new Node in.
      void this.#first?.runLater(last)
    })
  }

  /** Runs the scripts that had to wait for those of further machines, in the background. */
  async runLater(last: number): Promise<void> {
    const runs = await this.#runPending((script) => script.number <= last).catch(() => []) // The machine has ended.
    // No component is awaited that would tell it.
    this.#failedRuns.push(...runs.filter(({ exit }) => exit !== undefined && exit.code !== 0))
  }

  async #runPending(isWanted: (script: Script) => boolean): Promise<readonly Run[]> {
    const runs: Run[] = []
    await this.#queued(async () => {
      for (const script of this.#pending(isWanted)) {
        const run = await this.#run(script)
        await this.#settles(script, run)
        runs.push(run)
      }
    })
    return runs
  }

  /** The scripts that have not run and may run now: all that precede them in the order of names have. */
  #pending(isWanted: (script: Script) => boolean): Script[] {
    const waitsFor = ({ name, number }: Script) =>
      this.#folder.scripts.some(
        (other) =>
          other.machine !== undefined && other.number === number && other.name < name && !this.#ran.has(other.name),
      )
    return this.#scripts.filter(
      (script) =>
        isWanted(script) && !this.#runs.has(script.name) && (script.machine !== undefined || !waitsFor(script)),
    )
  }

  /** The component that scripts start last of all that run: a script that starts nothing itself comes after it. */
  get #lastToStart(): ScriptComponent {
    const [first] = this.parts
    const running = this.parts.filter(({ isRunning }) => isRunning)
    const last = running.toSorted((a, b) => this.#scriptNumberOf(a.name) - this.#scriptNumberOf(b.name)).at(-1) ?? first
    if (last === undefined) throw new TypeError("The learner starts no component.")
    return last
  }

  #queued(action: () => Promise<void>): Promise<void> {
    this.#running = this.#running.catch(() => undefined).then(action)
    return this.#running
  }

  /** Whether a lesson has a component on this machine that requires images. */
  get #needsImages(): boolean {
    return specs.some(
      ({ name, requires }) => requires.includes("images") && this.#scriptNumberOf(name) < Number.MAX_SAFE_INTEGER,
    )
  }

  /** Starts the components that the course provides. On a machine that was used before, they may run already. */
  async #serveImages(processes: readonly FoundProcess[]): Promise<void> {
    this.#servesImages = true
    const provided = specs.filter(({ isProvided, name }) => isProvided && !processes.some((one) => one.name === name))
    await this.#reference.up(provided.map(({ name }) => name))
  }

  async #run(script: Script): Promise<Run> {
    const log = logFor(script)
    const { trace, env } = await Trace.of(this.machine, script.name)
    const seenBefore = this.#sightings.count
    const spawned = await this.machine.spawn(commandOf(script.name), { log, cwd: HOME, env })
    const run: Omit<Run, "exit"> & { exit: Exit | undefined } = {
      name: script.name,
      log,
      exit: undefined,
      pid: spawned.pid,
      trace,
      seenBefore,
    }
    void spawned.exit.then((ended) => {
      run.exit = ended
    })
    this.#runs.set(script.name, { run, script })
    this.#ran.add(script.name)
    await this.#remember(script)
    return run
  }

  /** Notes on this machine, and on the first one, that a script has run. */
  async #remember(script: Script): Promise<void> {
    this.#remembered.set(script.name, script.fingerprint)
    await this.machine.write(STATE, JSON.stringify(Object.fromEntries(this.#remembered)))
    if (this.#first !== undefined) await this.#first.#remember(script)
  }

  /**
   * Waits until the component that a script starts is ready or has ended, until the script ends, or until the timeout
   * passes. The next script may depend on that component.
   */
  async #settles(script: Script, run: Run): Promise<void> {
    const own = this.#componentsOf(script).map(({ name }) => name)
    let answer: string | undefined
    const unready = () => (own[0] === undefined ? undefined : { name: own[0], answer, logPath: logFor(script) })
    const awaited = `${own.join(" and ") || "the cluster"} becomes ready, or ${script.name} ends`
    await this.#lookUntil(run, awaited, unready, async (processes) => {
      const started = processes.find(({ name }) => own.includes(name))
      if (started === undefined)
        return own.some((name) => this.#sightings.hasEnded(name, run.seenBefore, FIRST_COMEBACK))
      const answered = await this.#ask(started, processes)
      if (!answered.isWell) answer = answered.answer
      return answered.isWell || this.#lacksKubeconfig(started)
    })
  }

  /** Asks a component whether it is ready. */
  async #ask(process: FoundProcess, processes: readonly FoundProcess[]): Promise<ProbeAnswer> {
    const { probe } = await probeOf(this.machine, process, processes)
    return ask(this.machine, probe, () => this.access())
  }

  /**
   * Looks at the processes again and again until a look returns true, until a script ends, until a cause is certain
   * that no time heals, or until the timeout passes. The component's own wait reports what is certain.
   * @returns whether a look returned true, or the script ended
   * @param awaited what must happen, for a line that a person reads
   * @param unready the component that is not ready now, with its last answer; undefined if there is none
   */
  async #lookUntil(
    run: Run,
    awaited: string,
    unready: () => Pick<NotReady, "name" | "answer" | "logPath"> | undefined,
    look: (processes: readonly FoundProcess[]) => Promise<boolean>,
  ): Promise<boolean> {
    const began = performance.now()
    const failure = (): NotReady | undefined => {
      const one = unready()
      return one && { kind: "not-ready", waited: performance.now() - began, log: [], ...one }
    }
    const isCertain = { now: false }
    using wait = new Wait(awaited, failure, this.#foresee)
    void wait.certainty.then(() => {
      isCertain.now = true
    })
    const pace = new Pace(POLL_INTERVAL)
    while (run.exit === undefined && !isCertain.now && performance.now() - began < this.#patience) {
      if (await look(await findProcesses(this.machine))) return true
      await pace.pause()
    }
    return run.exit !== undefined
  }

  /**
   * Whether kube-apiserver listens, but no kubeconfig exists yet that shows whether it is ready. The next script may
   * write the kubeconfig.
   */
  async #lacksKubeconfig({ name, pid }: FoundProcess): Promise<boolean> {
    if (name !== "kube-apiserver") return false
    const access = await this.access().catch((error: unknown) => error)
    if (!(access instanceof NoAccessError && access.tried.length === 0)) return false
    return (await sockets(this.machine, ["--listening"])).some((socket) => socket.pid === pid)
  }

  /**
   * The components that a script starts: those that its name contains, or else those with its number that no other
   * script's name contains.
   */
  #componentsOf(script: Script): ScriptComponent[] {
    const named = this.parts.filter(({ name }) => names(script, name))
    if (named.length > 0) return named
    return this.parts.filter(
      ({ name }) => this.#scriptNumberOf(name) === script.number && !this.#scripts.some((other) => names(other, name)),
    )
  }

  /** See Around. */
  #missingScript(name: ComponentName): string | undefined {
    const wanted = this.#scriptNumberOf(name)
    if (this.#scripts.some(({ number }) => number === wanted)) return undefined
    const place = this.#first === undefined ? "" : `@${this.machine.name}`
    return `${String(wanted).padStart(2, "0")}-NAME${place}.sh`
  }

  /**
   * The run of the script that starts a component: the script whose name contains the component, or else the last one
   * that ran and may start it.
   */
  #runOf(name: ComponentName): Run | undefined {
    const change = this.#changes.findLast(({ seenBefore }) => this.#sightings.has(name, seenBefore))
    if (change !== undefined) return change
    // The last change has ended the component and not started it again.
    const isRunning = this.parts.some((part) => part.name === name && part.isRunning)
    if (!isRunning && this.#changes.length > 0) return this.#changes.at(-1)
    const last = this.#scriptNumberOf(name)
    const runs = [...this.#runs.values()].filter(({ script }) => script.number <= last)
    return (runs.find(({ script }) => names(script, name)) ?? runs.at(-1))?.run
  }
}

/** Whether the name of a script contains the word of a component. */
function names(script: Script, component: ComponentName): boolean {
  return script.title.includes(specOf(component).scriptWord)
}

/** The command that runs a script. */
function commandOf(script: string): string[] {
  return ["bash", `./${script}`]
}

function logFor({ name }: Script): string {
  return `/var/log/byhand/${name}.log`
}

import { setTimeout as sleep } from "node:timers/promises"
import { Pace } from "../base/pace.ts"
import { logLines } from "../clients/log.ts"
import { listeners } from "../clients/sockets.ts"
import {
  argvOf,
  logOf,
  withFlags,
  type Completion,
  type Component,
  type ComponentName,
  type FlagChanges,
} from "../components/component.ts"
import { reportComponent } from "../components/component-event.ts"
import type { Exit, Machine, Spawned } from "../machines/machine.ts"
import { furtherMachine } from "../machines/network.ts"
import { ask, type Administrator } from "../clients/probe.ts"
import type { Probe } from "../components/probe.ts"
import {
  describedFiles,
  probeOfComponent,
  settingsOf,
  settingsOfComponent,
  type SettingsOf,
} from "../components/registry.ts"
import { FailureError } from "../failures/errors.ts"
import type { ComponentFailure, Explain } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import { Wait, type Foresee } from "../failures/wait.ts"
import { ComponentError, LOG_LINES, LONGEST_ANSWER, pidOf, type WithoutLog } from "./errors.ts"
import type { Disturbances } from "./disturbances.ts"
import type { Known } from "./known.ts"
import { GRACE, type Part } from "./part.ts"

/**
 * Time between two probes (milliseconds): short enough to cause no noticeable delay, long enough to use little CPU
 * time.
 */
const POLL_INTERVAL = 20

/** What a cluster provides to a component. */
export interface Surroundings {
  readonly machine: Machine
  /** The longest time that a component may take to become ready (milliseconds). */
  readonly patience: number
  /** Returns the credentials of an administrator for kube-apiserver. */
  readonly administrator: Administrator
  /** The probe that shows whether a component is ready; by default that of its spec. */
  readonly probe?: (component: Component) => Probe
  /** Creates the shared files that a component needs: certificates and the kubeconfig. */
  readonly prepare: (component: Component) => Promise<void>
  /** Finds the known cause of a failure while the broken process still exists. */
  readonly explain: Explain
  /** Looks for causes that no time heals while a component is awaited. By default there are none. */
  readonly foresee?: Foresee | undefined
  /** Which components are down. */
  readonly disturbances?: Disturbances
  /** Changes the description of a component before it starts, to break it on purpose. By default it changes nothing. */
  readonly alter?: (component: Component) => Component
}

/** One component of our own cluster. It can be started, stopped, killed and restarted. */
export class ManagedComponent<Name extends ComponentName = ComponentName> implements Part<Name>, AsyncDisposable {
  readonly name: Name
  readonly #describe: () => Component
  readonly #surroundings: Surroundings
  #process: Spawned | undefined
  #failure: Error | undefined
  #starting: Promise<void> | undefined
  #isMeantToBe = false
  #wasStarted = false
  #isReady = false
  /** How it ended by itself, although it was ready and no lesson ended it, until that is reported. */
  #unexpected: WithoutLog | undefined
  /** The flags that differ from the description until the next start. */
  #changes: FlagChanges = {}
  readonly #logPath: string
  /** The lasting change of the description, until another call of `change`. */
  #lasting: ((component: Component) => Component) | undefined

  /**
   * @param describe returns the component to start; it is called again for each start
   * @param number 1 for the component of the cluster, a larger number for another instance of it
   */
  constructor(name: Name, describe: () => Component, surroundings: Surroundings, number = 1) {
    this.name = name
    this.#describe = describe
    this.#surroundings = surroundings
    this.#logPath = number === 1 ? logOf(this.name) : logOf(this.name).replace(/\.log$/, `-${number}.log`)
  }

  /** The component as it was started, or as it would be started now. */
  get component(): Component {
    const component = this.#planned
    return this.#surroundings.alter?.(component) ?? component
  }

  /** The component as it would be started without the change that breaks it on purpose. */
  get #planned(): Component {
    const described = this.#describe()
    return this.#lasting?.(described) ?? described
  }

  /** The names of the flags with which it would be started, without the change that breaks it on purpose. */
  get plannedFlags(): string[] {
    return this.#planned.flags.map(({ flag }) => flag)
  }

  /** Whether it was ever started here. */
  get wasStarted(): boolean {
    return this.#wasStarted
  }

  /** The facts that a diagnosis cannot observe: how the component was started, and whether it must be running now. */
  get known(): Known {
    return { name: this.name, argv: this.argv, isMeantToBe: this.#isMeantToBe }
  }

  /** The command line with which it was started, or would be started now. */
  get argv(): string[] {
    return argvOf(withFlags(this.component, this.#changes))
  }

  /** Changes how it is started from now on; undefined removes the change. */
  change(lasting: ((component: Component) => Component) | undefined): void {
    this.#lasting = lasting
  }

  /** Whether such a change leads to another command line or to other files. */
  isChangedBy(lasting: ((component: Component) => Component) | undefined): boolean {
    const described = this.#describe()
    return JSON.stringify(this.#planned) !== JSON.stringify(lasting?.(described) ?? described)
  }

  get settings(): SettingsOf<Name> {
    return settingsOf(this.name, { argv: this.argv, cwd: "/root" }, describedFiles(this.component))
  }

  /** The PID of its process on the machine. @throws ComponentError if it does not run */
  get pid(): number {
    return pidOf(this.#process, this.name, this.#logPath)
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** The error of its last start, if that failed. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Lets the next caller that needs it start it again, although its last start failed. */
  forgetFailure(): void {
    this.#failure = undefined
  }

  /**
   * Starts it, and waits until it is ready, until it exits, or until the timeout passes. Does nothing if it runs.
   * @param changes flags that differ for this start only
   * @throws ComponentError with the failure and the last lines of its log
   */
  start(changes: FlagChanges = {}): Promise<void> {
    this.#starting ??= this.#start(changes).finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #start(changes: FlagChanges): Promise<void> {
    if (this.isRunning) return
    this.#changes = changes
    this.#failure = undefined
    this.#isMeantToBe = true
    this.#wasStarted = true
    try {
      await this.#surroundings.prepare(this.component)
      await this.#startAndWait(this.component)
      await this.#runAll(this.component.completion)
      this.#isReady = true
      this.#surroundings.disturbances?.isReady(this.name)
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      await this.#end("KILL")
      throw error
    }
  }

  /** @throws FailureError with the command that failed */
  async #runAll(commands: readonly Completion[] = []): Promise<void> {
    await Promise.all(
      commands.map(async ({ argv, problem, remedy }) => {
        const result = await this.#surroundings.machine.run(argv)
        if (result.exitCode !== 0)
          throw new FailureError({ kind: "command-failed", argv, ...result }, remedy, {}, problem)
      }),
    )
  }

  async #startAndWait(component: Component): Promise<void> {
    const { machine, patience } = this.#surroundings
    // The probe uses the unaltered description: a component that was altered on purpose must still be at its usual
    // address.
    const planned = withFlags(this.#planned, this.#changes)
    const probe = this.#surroundings.probe?.(planned) ?? probeOfComponent(planned)
    const { address } = settingsOfComponent(planned)
    await Promise.all(component.files.map(({ path, content, mode }) => machine.write(path, content, mode)))
    await this.#runAll(component.preparation)
    await this.#putLogAside()
    const before = performance.now()
    const waited = () => Math.round(performance.now() - before)
    let answer: string | undefined
    const spawned = await machine.spawn(this.argv, { log: this.#logPath })
    this.#process = spawned
    const ended: { exit?: Exit } = {}
    this.#isReady = false
    reportComponent({ type: "component started", component: this.name, pid: spawned.pid })
    void spawned.exit.then((exit) => {
      ended.exit = exit
      if (this.#process === spawned) {
        this.#process = undefined
        this.#noteEnd(exit, waited())
      }
      reportComponent({ type: "component exited", component: this.name, pid: spawned.pid, exit })
    })
    const failure = () => ({ kind: "not-ready" as const, waited: waited(), answer })
    using wait = new Wait(`${this.name} becomes ready`, () => this.#whole(failure(), []), this.#surroundings.foresee)
    const pace = new Pace(POLL_INTERVAL)
    for (;;) {
      if (ended.exit !== undefined)
        throw await this.#error({ kind: "component-exited", exit: ended.exit, after: waited() })
      const answered = await Promise.race([
        ask(machine, probe, this.#surroundings.administrator, Math.max(1, patience - waited())),
        wait.certainty,
      ])
      if ("cause" in answered) throw await this.#error({ ...failure(), isCertain: true }, answered)
      answer = answered.answer.slice(0, LONGEST_ANSWER)
      if (answered.isWell && (address === undefined || (await this.#holds(address.port, spawned.pid)))) break
      if (waited() > patience) throw await this.#error(failure())
      await pace.pause(spawned.exit)
    }
    const milliseconds = Math.round(performance.now() - before)
    reportComponent({ type: "component ready", component: this.name, pid: spawned.pid, milliseconds })
  }

  /**
   * Whether the started process listens on the port.
   * @returns false if no process listens yet
   * @throws ComponentError if another process listens
   */
  async #holds(port: number, pid: number): Promise<boolean> {
    const found = await listeners(this.#surroundings.machine, port)
    if (found.some((socket) => socket.pid === pid)) return true
    const other = found[0]
    if (other === undefined) return false // The kubelet reports that it is well before it listens on its port.
    // The other process can answer before the component itself detects, and logs, that its port is taken.
    throw await this.#error({ kind: "foreign-listener", pid, port, holder: other })
  }

  #noteEnd(exit: Exit, after: number): void {
    const { disturbances } = this.#surroundings
    const isExpected = !this.#isReady || !this.#isMeantToBe || disturbances?.excuses(this.name) === true
    this.#isReady = false
    disturbances?.ends(this.name)
    if (!isExpected) this.#unexpected = { kind: "component-exited", exit, after, wasReady: true }
  }

  /** The error of an end that no lesson caused. It is returned once; undefined if there was none. */
  async unexpectedExit(): Promise<ComponentError | undefined> {
    const failure = this.#unexpected
    this.#unexpected = undefined
    return failure === undefined ? undefined : this.#error(failure)
  }

  /** Forgets an end that was not caused by a lesson, because it is reported already. */
  forgetExit(): void {
    this.#unexpected = undefined
  }

  /** @param certain the cause, if it is known already */
  async #error(failure: WithoutLog, certain?: Finding): Promise<ComponentError> {
    const whole = this.#whole(failure, (await this.log()).slice(-LOG_LINES))
    const explained = await this.#surroundings.explain(whole, certain)
    return new ComponentError(whole, certain ?? explained)
  }

  #whole(failure: WithoutLog, log: readonly string[]): ComponentFailure {
    return { ...failure, name: this.name, log, logPath: this.#logPath, ...furtherMachine(this.#surroundings.machine) }
  }

  /** The lines of its log since its last start. */
  log(): Promise<string[]> {
    return logLines(this.#surroundings.machine, this.#logPath)
  }

  /** Moves the log of earlier starts to another file, so that the log contains the lines of this start only. */
  async #putLogAside(): Promise<void> {
    const before = this.#logPath.replace(/\.log$/, ".before.log")
    await this.#surroundings.machine.run([
      "sh",
      "-c",
      `[ ! -e ${this.#logPath} ] || { cat ${this.#logPath} >>${before}; rm ${this.#logPath}; }`,
    ])
  }

  /** Sends SIGTERM, and SIGKILL if the process has not ended after the grace period. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isMeantToBe = false
    await this.#end("TERM")
  }

  /** Sends SIGKILL. Resolves when the process has ended. */
  async kill(): Promise<void> {
    this.#isMeantToBe = false
    await this.#end("KILL")
  }

  async restart(changes: FlagChanges = {}): Promise<void> {
    await this.stop()
    await this.start(changes)
  }

  /** Starts a second instance beside it, with changed flags. `await using` ends the second instance. */
  async another(changes: FlagChanges): Promise<ManagedComponent<Name>> {
    const other = new ManagedComponent(this.name, this.#describe, this.#surroundings, 2)
    other.#lasting = this.#lasting
    await other.start({ ...this.#changes, ...changes })
    return other
  }

  async #end(signal: "TERM" | "KILL"): Promise<void> {
    const spawned = this.#process
    if (spawned === undefined) return
    const { machine } = this.#surroundings
    const send = (name: string) => machine.run(["kill", `-${name}`, String(spawned.pid)])
    await send(signal)
    const deadline = new AbortController()
    const timer = sleep(GRACE, undefined, { signal: deadline.signal }).then(
      () => send("KILL"),
      () => undefined,
    )
    await spawned.exit
    this.#surroundings.disturbances?.ends(this.name)
    deadline.abort()
    await timer
    if (this.#process === spawned) this.#process = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

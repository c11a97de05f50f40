import { setTimeout as sleep } from "node:timers/promises"
import { listeners } from "../clients/sockets.ts"
import {
  argvOf,
  logOf,
  withFlags,
  type Component,
  type ComponentName,
  type FlagChanges,
} from "../components/component.ts"
import { argvWith } from "../components/discovery/process.ts"
import { reportComponent } from "../components/component-event.ts"
import type { Exit, Machine, Spawned } from "../machines/machine.ts"
import { ask, type Administrator } from "../clients/probe.ts"
import type { Probe } from "../components/probe.ts"
import { probeOfComponent, settingsOf, settingsOfComponent, type SettingsOf } from "../components/registry.ts"
import { knownFiles } from "../components/settings/files.ts"
import type { Explain } from "../failures/failure.ts"
import { ComponentError, CompletionError, LOG_LINES, type WithoutLog } from "./errors.ts"
import type { Known } from "./known.ts"
import { GRACE, type Part } from "./part.ts"

/** Often enough that nobody waits for a poll, rare enough that polling takes no processor (milliseconds). */
const POLL_INTERVAL = 20
/** Characters of an answer that an error keeps. */
const LONGEST_ANSWER = 500

/** What a component needs of its cluster. */
export interface Surroundings {
  readonly machine: Machine
  /** Milliseconds a component may take to become ready. */
  readonly patience: number
  /** How an administrator shows kube-apiserver who it is. */
  readonly administrator: Administrator
  /** How to know that a component is ready; as its spec says by default. */
  readonly probe?: (component: Component) => Probe
  /** Makes what several components read and this one needs: certificates and the kubeconfig. */
  readonly prepare: (component: Component) => Promise<void>
  /** Finds the known cause of a failure while the broken process is still there. */
  readonly explain: Explain
  /** Changes to whatever is described, before it is started; none unless something is to be broken on purpose. */
  readonly alter?: (component: Component) => Component
}

/** One component of a cluster, to start, stop, kill and restart. */
export class ManagedComponent<Name extends ComponentName = ComponentName> implements Part<Name>, AsyncDisposable {
  readonly name: Name
  readonly #describe: () => Component
  readonly #surroundings: Surroundings
  #process: Spawned | undefined
  #failure: Error | undefined
  #starting: Promise<void> | undefined
  #isMeantToBe = false
  /** What differs from how it is described, for as long as this start lasts. */
  #changes: FlagChanges = {}
  readonly #logPath: string
  /** What differs from how it is described, from now on. */
  #lasting: ((component: Component) => Component) | undefined

  /**
   * @param describe what to start; asked anew for each start
   * @param number 1 for the cluster's own component, more for others of its kind beside it
   */
  constructor(name: Name, describe: () => Component, surroundings: Surroundings, number = 1) {
    this.name = name
    this.#describe = describe
    this.#surroundings = surroundings
    this.#logPath = number === 1 ? logOf(this.name) : logOf(this.name).replace(/\.log$/, `-${number}.log`)
  }

  /** What is, or would be, started. */
  get component(): Component {
    const component = this.#planned
    return this.#surroundings.alter?.(component) ?? component
  }

  /** What would be started if nothing were altered. */
  get #planned(): Component {
    const described = this.#describe()
    return this.#lasting?.(described) ?? described
  }

  /** What a diagnosis cannot see: how it was started, and whether it should be running now. */
  get known(): Known {
    return { name: this.name, argv: this.argv, isMeantToBe: this.#isMeantToBe }
  }

  /** Its command line, as it was or would be started. */
  get argv(): string[] {
    return argvWith(argvOf(this.component), this.#changes)
  }

  /**
   * Changes how it is started, from now on; undefined undoes that. Restarts it if it runs with another command line or
   * other files.
   */
  async change(lasting: ((component: Component) => Component) | undefined): Promise<void> {
    const before = JSON.stringify(this.component)
    this.#lasting = lasting
    if (this.isRunning && JSON.stringify(this.component) !== before) await this.restart()
  }

  get settings(): SettingsOf<Name> {
    const files = new Map(this.component.files.map(({ path, content }) => [path, content]))
    return settingsOf(this.name, { argv: this.argv, cwd: "/root" }, knownFiles(Object.fromEntries(files)))
  }

  /** Its process's number on the machine. @throws where it does not run */
  get pid(): number {
    if (this.#process === undefined)
      throw new ComponentError({ kind: "not-running", name: this.name, log: [], logPath: this.#logPath }, undefined)
    return this.#process.pid
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** Why its last start failed, if it did. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /**
   * Starts it and waits until it is ready, or has exited, or has run out of time, whichever is first. Does nothing where it runs.
   * @param changes flags that differ this once
   * @throws ComponentError with what went wrong and the last lines of its log
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
    try {
      await this.#surroundings.prepare(this.component)
      await this.#startAndWait(this.component)
      await this.#complete(this.component)
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      await this.#end("KILL")
      throw error
    }
  }

  /** @throws CompletionError */
  async #complete({ completion = [] }: Component): Promise<void> {
    await Promise.all(
      completion.map(async ({ argv, problem, remedy }) => {
        const { exitCode, stderr } = await this.#surroundings.machine.run(argv)
        if (exitCode !== 0) throw new CompletionError(`${problem}: ${stderr.trim()}.`, remedy)
      }),
    )
  }

  async #startAndWait(component: Component): Promise<void> {
    const { machine, patience } = this.#surroundings
    // It must be found where it is meant to be, even where it was altered to be elsewhere.
    const planned = withFlags(this.#planned, this.#changes)
    const probe = this.#surroundings.probe?.(planned) ?? probeOfComponent(planned)
    const { address } = settingsOfComponent(planned)
    await Promise.all(component.files.map(({ path, content, mode }) => machine.write(path, content, mode)))
    await this.#putLogAside()
    const before = performance.now()
    const waited = () => Math.round(performance.now() - before)
    let answer: string | undefined
    const spawned = await machine.spawn(this.argv, { log: this.#logPath })
    this.#process = spawned
    const ended: { exit?: Exit } = {}
    reportComponent({ type: "component started", component: this.name, pid: spawned.pid })
    void spawned.exit.then((exit) => {
      ended.exit = exit
      if (this.#process === spawned) this.#process = undefined
      reportComponent({ type: "component exited", component: this.name, pid: spawned.pid, exit })
    })
    for (;;) {
      if (ended.exit !== undefined)
        throw await this.#error({ kind: "component-exited", exit: ended.exit, after: waited() })
      const answered = await ask(machine, probe, this.#surroundings.administrator, Math.max(1, patience - waited()))
      answer = answered.answer.slice(0, LONGEST_ANSWER)
      if (answered.isWell && (address === undefined || (await this.#holds(address.port, spawned.pid)))) break
      if (waited() > patience) throw await this.#error({ kind: "not-ready", waited: waited(), answer })
      await Promise.race([sleep(POLL_INTERVAL), spawned.exit])
    }
    const milliseconds = Math.round(performance.now() - before)
    reportComponent({ type: "component ready", component: this.name, pid: spawned.pid, milliseconds })
  }

  /** An answer counts only if the process that listens is the one that was started. @returns false where no process listens yet */
  async #holds(port: number, pid: number): Promise<boolean> {
    const found = await listeners(this.#surroundings.machine, port)
    if (found.some((socket) => socket.pid === pid)) return true
    const other = found[0]
    if (other === undefined) return false // The kubelet says that it is well before it serves.
    // The other process answers before the component has found out itself, and logged it.
    throw await this.#error({ kind: "foreign-listener", pid, port, holder: other })
  }

  async #error(failure: WithoutLog): Promise<ComponentError> {
    const log = (await this.log()).slice(-LOG_LINES)
    const whole = { ...failure, name: this.name, log, logPath: this.#logPath }
    return new ComponentError(whole, await this.#surroundings.explain(whole))
  }

  /** The lines of its log since its last start. */
  async log(): Promise<string[]> {
    return (await this.#surroundings.machine.read(this.#logPath).catch(() => Buffer.alloc(0)))
      .toString()
      .trimEnd()
      .split("\n") // It has not written any.
  }

  /** What an earlier start logged is kept beside it, so that the log tells of this start alone. */
  async #putLogAside(): Promise<void> {
    const before = this.#logPath.replace(/\.log$/, ".before.log")
    await this.#surroundings.machine.run([
      "sh",
      "-c",
      `[ ! -e ${this.#logPath} ] || { cat ${this.#logPath} >>${before}; rm ${this.#logPath}; }`,
    ])
  }

  /** Asks it to end (SIGTERM); kills it where it does not. Resolves when it has ended. */
  async stop(): Promise<void> {
    this.#isMeantToBe = false
    await this.#end("TERM")
  }

  /** Ends it at once (SIGKILL). Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#isMeantToBe = false
    await this.#end("KILL")
  }

  async restart(changes: FlagChanges = {}): Promise<void> {
    await this.stop()
    await this.start(changes)
  }

  /** One more of its kind beside it, with what must differ; ended with `await using`. */
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
    deadline.abort()
    await timer
    if (this.#process === spawned) this.#process = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

import { setTimeout as sleep } from "node:timers/promises"
import { listeners } from "../clients/sockets.ts"
import { argvOf, logOf, type Component, type ComponentName, type FlagChanges } from "../components/component.ts"
import { argvWith } from "../components/discovery/process.ts"
import { reportComponent } from "../components/component-event.ts"
import type { Exit, Machine, Spawned } from "../machines/machine.ts"
import { httpGet } from "../clients/http-get.ts"
import { messageOf } from "../base/errors.ts"
import type { Explain } from "../failures/failure.ts"
import { ComponentError, CompletionError, LOG_LINES, type WithoutLog } from "./errors.ts"
import type { Known } from "./known.ts"
import { GRACE, type Part } from "./part.ts"

/** Often enough that nobody waits for a poll, rare enough that polling takes no processor (milliseconds). */
const POLL_INTERVAL = 20
/** How long one answer about readiness may take before it is asked for again (milliseconds). */
const ANSWER_WITHIN = 5_000

/** What a component needs of its cluster. */
export interface Surroundings {
  readonly machine: Machine
  /** Milliseconds a component may take to become ready. */
  readonly patience: number
  /** The CA that has signed every certificate here. */
  readonly ca: () => Promise<Buffer>
  readonly token: string
  /** Makes what several components read and this one needs: certificates and the kubeconfig. */
  readonly prepare: (component: Component) => Promise<void>
  /** Finds the known cause of a failure while the broken process is still there. */
  readonly explain: Explain
  /** Changes to whatever is described, before it is started; none unless something is to be broken on purpose. */
  readonly alter?: (component: Component) => Component
}

/** One component of a cluster, to start, stop, kill and restart. */
export class ManagedComponent implements Part, AsyncDisposable {
  readonly name: ComponentName
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
  constructor(name: ComponentName, describe: () => Component, surroundings: Surroundings, number = 1) {
    this.name = name
    this.#describe = describe
    this.#surroundings = surroundings
    this.#logPath = number === 1 ? logOf(this.name) : logOf(this.name).replace(/\.log$/, `-${number}.log`)
  }

  /** What is, or would be, started. */
  get component(): Component {
    const described = this.#describe()
    const component = this.#lasting?.(described) ?? described
    return this.#surroundings.alter?.(component) ?? component
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

  async #startAndWait({ port: described, ...rest }: Component): Promise<void> {
    // A changed port is where it must be found.
    const changed = Number(this.#changes["--secure-port"] ?? Number.NaN)
    const port = Number.isNaN(changed) ? described : changed
    const component = {
      ...rest,
      port,
      ready:
        rest.ready.by === "http" && port !== undefined && rest.ready.port === described
          ? { ...rest.ready, port }
          : rest.ready,
    }
    const { machine, patience } = this.#surroundings
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
      answer = await this.#unreadiness(component, Math.max(1, patience - waited()))
      const isReady = answer === undefined
      if (isReady && (component.port === undefined || (await this.#holds(component.port, spawned.pid)))) break
      if (waited() > patience) throw await this.#error({ kind: "not-ready", waited: waited(), answer })
      await Promise.race([sleep(POLL_INTERVAL), spawned.exit])
    }
    const milliseconds = Math.round(performance.now() - before)
    reportComponent({ type: "component ready", component: this.name, pid: spawned.pid, milliseconds })
  }

  /**
   * Why it is not ready: the answer to its readiness probe; undefined where it is ready.
   * @param timeout milliseconds that are left for an answer
   */
  async #unreadiness({ ready }: Pick<Component, "ready">, timeout: number): Promise<string | undefined> {
    const { machine, ca, token } = this.#surroundings
    try {
      if (ready.by === "command") {
        const { exitCode, stderr } = await machine.run(ready.argv, { timeout })
        return exitCode === 0 ? undefined : `status ${exitCode}: ${stderr.trim()}`
      }
      const { status, body } = await httpGet(machine, {
        port: ready.port,
        path: ready.path,
        timeout: Math.min(timeout, ANSWER_WITHIN),
        ...(ready.tls ? { ca: await ca(), token } : {}),
      })
      return status === 200 ? undefined : `${status}: ${body.slice(0, 500)}`
    } catch (error) {
      return messageOf(error) // No process listens yet, or the one that does is not ours.
    }
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
  async another(changes: FlagChanges): Promise<ManagedComponent> {
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

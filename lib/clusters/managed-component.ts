import { setTimeout as sleep } from "node:timers/promises"
import { listeners } from "../clients/sockets.ts"
import { argvOf, logOf, type Component, type ComponentName } from "../components/component.ts"
import { diagnose } from "../diagnosis/diagnose.ts"
import type { Finding } from "../diagnosis/finding.ts"
import { observe, type Known } from "../diagnosis/observe.ts"
import { withFlags, type FlagChanges } from "../components/discovery/process.ts"
import type { Exit, Machine, Spawned } from "../machines/machine.ts"
import {
  ComponentError,
  ComponentExitedError,
  ComponentTimeoutError,
  ForeignListenerError,
  howEnded,
  LOG_LINES,
} from "./errors.ts"
import { httpGet } from "../clients/http-get.ts"
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
  /** Makes the files that several components read: certificates and the kubeconfig. */
  readonly prepare: () => Promise<void>
  /** What whoever runs the cluster knows of each of its components, for the diagnosis. */
  readonly known: () => readonly Known[]
  /** Changes to whatever is described, before it is started; none unless something is to be broken on purpose. */
  readonly alter?: (component: Component) => Component
}

/** One component of a cluster, to start, stop, kill and restart. */
export class ManagedComponent<Options extends object> implements Part, AsyncDisposable {
  readonly #describe: (options: Options) => Component
  readonly #surroundings: Surroundings
  #options: Options
  #process: Spawned | undefined
  #failure: Error | undefined
  #starting: Promise<void> | undefined
  #isMeantToBe = false
  /** What differs from how it is described, for as long as this start lasts. */
  #changes: FlagChanges = {}
  readonly #logPath: string

  /** @param number 1 for the cluster's own, more for others of its kind beside it */
  constructor(describe: (options: Options) => Component, options: Options, surroundings: Surroundings, number = 1) {
    this.#describe = describe
    this.#options = options
    this.#surroundings = surroundings
    this.#logPath = number === 1 ? logOf(this.name) : logOf(this.name).replace(/\.log$/, `-${number}.log`)
  }

  /** What is, or would be, started. */
  get component(): Component {
    const component = this.#describe(this.#options)
    return this.#surroundings.alter?.(component) ?? component
  }

  /** What a diagnosis cannot see: how it was started, and whether it should be running now. */
  get known(): Known {
    return { name: this.name, argv: this.argv, isMeantToBe: this.#isMeantToBe }
  }

  get name(): ComponentName {
    return this.component.name
  }

  get lesson(): number {
    return this.component.lesson
  }

  /** Its command line, as it was or would be started. */
  get argv(): string[] {
    return withFlags(argvOf(this.component), this.#changes)
  }

  /** Other options from its next start on. */
  configure(options: Partial<Options>): void {
    this.#options = { ...this.#options, ...options }
  }

  /** Its process's number on the machine. @throws where it does not run */
  get pid(): number {
    if (this.#process === undefined) throw new ComponentError(this.name, `${this.name} is not running`, undefined, [])
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
   * @throws ComponentExitedError, ComponentTimeoutError or ForeignListenerError, each with what its log says
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
      await this.#surroundings.prepare()
      await this.#startAndWait(this.component)
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      await this.#end("KILL")
      throw error
    }
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
    const seconds = () => ((performance.now() - before) / 1000).toFixed(1)
    const spawned = await machine.spawn(this.argv, { log: this.#logPath })
    this.#process = spawned
    const ended: { exit?: Exit } = {}
    void spawned.exit.then((exit) => {
      ended.exit = exit
      if (this.#process === spawned) this.#process = undefined
    })
    for (;;) {
      if (ended.exit !== undefined) {
        throw await this.#error(ComponentExitedError, `${component.name} ${howEnded(ended.exit)} after ${seconds()} s`)
      }
      const isReady = await this.#isReady(component, Math.max(1, patience - (performance.now() - before)))
      if (isReady && (component.port === undefined || (await this.#holds(component.port, spawned.pid)))) break
      if (performance.now() - before > patience)
        throw await this.#error(ComponentTimeoutError, `${component.name} was not ready after ${seconds()} s`)
      await Promise.race([sleep(POLL_INTERVAL), spawned.exit])
    }
  }

  /** @param timeout milliseconds that are left for an answer */
  async #isReady({ ready }: Pick<Component, "ready">, timeout: number): Promise<boolean> {
    const { machine, ca, token } = this.#surroundings
    try {
      if (ready.by === "command") return (await machine.run(ready.argv, { timeout })).exitCode === 0
      const { status } = await httpGet(machine, {
        port: ready.port,
        path: ready.path,
        timeout: Math.min(timeout, ANSWER_WITHIN),
        ...(ready.tls ? { ca: await ca(), token } : {}),
      })
      return status === 200
    } catch {
      return false // Nobody listens yet, or whoever does is not one of ours.
    }
  }

  /** An answer counts only if the process that listens is the one that was started. @returns false where nobody listens yet */
  async #holds(port: number, pid: number): Promise<boolean> {
    const found = await listeners(this.#surroundings.machine, port)
    if (found.some((socket) => socket.pid === pid)) return true
    const other = found[0]
    if (other === undefined) return false // The kubelet says that it is well before it serves.
    // Who answers in its place is known before it has found out itself, and logged it.
    throw await this.#error(
      ForeignListenerError,
      `${this.name} (pid ${pid}) does not hold port ${port}, ${other.program} (pid ${other.pid}) does`,
      {
        id: "port-taken",
        component: this.name,
        cause: `another process holds ${other.local}`,
        remedy: `Stop that one (kill ${other.pid}), or give ${this.name} another port.`,
        evidence: `${other.local} is held by ${other.program}, pid ${other.pid}`,
        look: `ss -tlnp sport = :${port}`,
      },
    )
  }

  async #error(kind: typeof ComponentError, problem: string, finding?: Finding): Promise<ComponentError> {
    const { machine, known } = this.#surroundings
    const log = (await this.log()).slice(-LOG_LINES)
    if (finding !== undefined) return new kind(this.name, problem, finding, log)
    // An observation has the log of the cluster's own; one more beside it tells its own here.
    const complaint = this.#logPath === logOf(this.name) ? problem : [problem, ...log].join("\n")
    return new kind(this.name, problem, diagnose(await observe(machine, known(), complaint))[0], log)
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
  async another(changes: FlagChanges): Promise<ManagedComponent<Options>> {
    const other = new ManagedComponent(this.#describe, this.#options, this.#surroundings, 2)
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

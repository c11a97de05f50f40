import { setTimeout as sleep } from "node:timers/promises"
import { ComponentError, LOG_LINES, LONGEST_ANSWER, type WithoutLog } from "../clusters/errors.ts"
import type { Known } from "../clusters/known.ts"
import { GRACE, type Beside, type Part } from "../clusters/part.ts"
import { logLines } from "../clients/log.ts"
import { listeners } from "../clients/sockets.ts"
import { logOf, type ComponentName, type FlagChanges } from "../components/component.ts"
import type { ComponentFailure, Explain } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import { Wait, type Foresee } from "../failures/wait.ts"
import { argvWith, findProcesses, type FoundProcess } from "../components/discovery/process.ts"
import { reportComponent } from "../components/component-event.ts"
import { ask, type Administrator } from "../clients/probe.ts"
import { probeOf } from "../components/discovery/settings.ts"
import { settingsOf, type SettingsOf } from "../components/registry.ts"
import { noFiles, withFilesOf } from "../components/settings/files.ts"
import type { Exit, Machine, Spawned } from "../machines/machine.ts"
import type { Genuine } from "./genuine.ts"

const POLL_INTERVAL = 100
/**
 * How long a learner's supervisor may take to start a component again (milliseconds). For a static Pod the limit is
 * longer, because the kubelet increases the delay after each restart.
 */
const COMEBACK = 5_000
/** How long a component may take to appear after its script has ended (milliseconds). */
const SETTLE = 5_000

/** A script that was started, with its log and its exit status. */
export interface Run {
  readonly name: string
  readonly log: string
  readonly exit: Exit | undefined
}

/** What a cluster provides to a component that a script starts. */
export interface Around {
  readonly machine: Machine
  /** The longest time that a component may take to become ready (milliseconds). */
  readonly patience: number
  readonly genuine: Genuine
  /** Returns the credentials of an administrator for kube-apiserver. */
  readonly administrator: Administrator
  /** Finds the known cause of a failure while the broken process still exists. */
  readonly explain: Explain
  /** Looks for causes that no time heals while a component is awaited. By default there are none. */
  readonly foresee?: Foresee | undefined
  /** Runs the scripts that a component may need and that have not run yet. */
  readonly runScripts: (name: ComponentName) => Promise<void>
  /** Returns the run of the script that must start a component; undefined if the script has not run yet. */
  readonly runOf: (name: ComponentName) => Run | undefined
}

/**
 * A component that a learner's script starts. It is found by its process, and restarted with the command line and
 * environment of that process.
 */
export class ScriptComponent<Name extends ComponentName = ComponentName> implements Part<Name> {
  readonly name: Name
  readonly #around: Around
  #process: FoundProcess | undefined
  /**
   * The first process of the component that was seen. A restart uses its command line, environment and working
   * directory.
   */
  #original: FoundProcess | undefined
  #settings: SettingsOf<Name> | undefined
  #failure: Error | undefined
  #isMeantToBe = false
  /** Its ancestor processes that are suspended (SIGSTOP), so that they do not start it again. */
  #frozen: readonly number[] = []
  #isStaticPod = false
  #logPath: string
  #starting: Promise<void> | undefined

  constructor(name: Name, around: Around) {
    this.name = name
    this.#around = around
    this.#logPath = logOf(name)
  }

  get pid(): number {
    if (this.#process === undefined)
      throw new ComponentError({ kind: "not-running", name: this.name, log: [], logPath: this.#logPath }, undefined)
    return this.#process.pid
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** Whether it runs and was started or accepted by `start`. */
  get isUp(): boolean {
    return this.isRunning && this.#isMeantToBe
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get argv(): readonly string[] {
    return (this.#process ?? this.#original)?.argv ?? [this.name]
  }

  get env(): Readonly<Record<string, string>> {
    return (this.#process ?? this.#original)?.env ?? {}
  }

  get cwd(): string {
    return (this.#process ?? this.#original)?.cwd ?? "/root"
  }

  get settings(): SettingsOf<Name> {
    return this.#settings ?? settingsOf(this.name, this, noFiles)
  }

  get known(): Known {
    return {
      name: this.name,
      argv: this.argv,
      isMeantToBe: this.#isMeantToBe || this.isRunning,
      logPath: this.#logPath,
    }
  }

  /**
   * Updates the known process. Of several processes of the component, the one that was known before is kept; otherwise
   * the oldest is used.
   */
  see(processes: readonly FoundProcess[]): void {
    const own = processes.filter(({ name }) => name === this.name)
    const before = this.#process
    this.#process = own.find(({ pid }) => pid === before?.pid) ?? own[0]
    if (before !== undefined && this.#process?.pid !== before.pid)
      reportComponent({ type: "component exited", component: this.name, pid: before.pid, exit: undefined })
    if (this.#process !== undefined && this.#process.pid !== before?.pid)
      reportComponent({ type: "component started", component: this.name, pid: this.#process.pid })
    if (this.#process !== undefined) this.#original ??= this.#process
  }

  start(changes: FlagChanges = {}): Promise<void> {
    this.#starting ??= this.#start(changes).finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #start(changes: FlagChanges): Promise<void> {
    this.see(await findProcesses(this.#around.machine))
    if (this.isUp) return
    this.#failure = undefined
    this.#isMeantToBe = true
    try {
      const spawned = this.isRunning ? undefined : await this.#bringAbout(changes)
      await this.#untilReady(spawned)
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }

  /** @returns the process that was started here; undefined if a script or a supervisor starts the component */
  async #bringAbout(changes: FlagChanges): Promise<Spawned | undefined> {
    const { machine } = this.#around
    if (this.#original === undefined) {
      await this.#around.runScripts(this.name)
      return undefined
    }
    if (Object.keys(changes).length === 0 && this.#frozen.length > 0) {
      const above = this.#frozen
      await this.#thaw()
      if (await this.#comesBack(above)) return undefined
    }
    const { argv, env, cwd } = this.#original
    this.#logPath = logOf(this.name)
    return machine.spawn(argvWith(argv, changes), { env, cwd, log: this.#logPath })
  }

  /** Whether a supervisor of the learner, or the kubelet, has started the component again. */
  async #comesBack(above: readonly number[]): Promise<boolean> {
    const { machine } = this.#around
    const deadline = performance.now() + (this.#isStaticPod ? this.#around.patience : COMEBACK)
    while (performance.now() < deadline) {
      this.see(await findProcesses(machine))
      if (this.isRunning) return true
      // The ancestors have ended, so none of them can start it again.
      if ((await machine.run(["kill", "-0", ...above.map(String)])).exitCode !== 0) return false
      await sleep(POLL_INTERVAL)
    }
    return false
  }

  async #untilReady(spawned: Spawned | undefined): Promise<void> {
    const { machine, patience } = this.#around
    const before = performance.now()
    const elapsed = () => performance.now() - before
    const ended: { exit?: Exit } = {}
    void spawned?.exit.then((exit) => {
      ended.exit = exit
    })
    let seen: FoundProcess | undefined
    let scriptEnded: number | undefined
    let answer: string | undefined
    const failure = () =>
      seen === undefined
        ? { kind: "not-started" as const, script: this.#around.runOf(this.name)?.name, waited: elapsed() }
        : { kind: "not-ready" as const, waited: elapsed(), answer }
    using wait = new Wait(`${this.name} becomes ready`, () => this.#whole(failure(), []), this.#around.foresee)
    for (;;) {
      const processes = await findProcesses(machine)
      const run = this.#around.runOf(this.name)
      this.see(
        spawned === undefined
          ? processes
          : processes.filter(({ pid, name }) => name !== this.name || pid === spawned.pid),
      )
      if (this.#process !== undefined) {
        if (seen?.pid !== this.#process.pid) await this.#checkProgram(this.#process)
        seen = this.#process
        await this.#followLog(seen.pid)
        const unready = await Promise.race([this.#unreadiness(seen, processes), wait.certainty])
        if (typeof unready === "object")
          throw await this.#error({ kind: "not-ready", waited: elapsed(), answer, isCertain: true }, unready)
        answer = unready
        if (answer === undefined) {
          const milliseconds = Math.round(elapsed())
          reportComponent({ type: "component ready", component: this.name, pid: seen.pid, milliseconds })
          break
        }
      } else if (ended.exit !== undefined)
        throw await this.#error({ kind: "component-exited", exit: ended.exit, after: elapsed() })
      else if (seen !== undefined)
        throw await this.#error({ kind: "component-exited", exit: undefined, after: elapsed() })
      else if (spawned === undefined && run?.exit !== undefined) {
        this.#logPath = run.log
        scriptEnded ??= elapsed()
        const hasFailed = run.exit.code !== 0 && run.exit.code !== null
        if (hasFailed || elapsed() - scriptEnded > SETTLE)
          throw await this.#error({ kind: "script-ended", script: run.name, exit: run.exit, wasRunning: false })
      }
      if (elapsed() > patience) {
        if (seen === undefined && run !== undefined) this.#logPath = run.log
        throw await this.#error(failure())
      }
      await sleep(POLL_INTERVAL)
    }
    const found = seen
    this.#settings = await withFilesOf(machine, (files) => settingsOf(this.name, found, files))
    await this.#checkIdentity(found)
    this.#original ??= found
  }

  /** The answer to its readiness probe; undefined if it is ready. */
  async #unreadiness(process: FoundProcess, processes: readonly FoundProcess[]): Promise<string | undefined> {
    const { machine, administrator } = this.#around
    const { probe, address } = await probeOf(machine, process, processes)
    if (address !== undefined && (await listeners(machine, address.port)).length === 0)
      return `no process listens on port ${address.port}`
    const { isWell, answer } = await ask(machine, probe, administrator)
    return isWell ? undefined : answer.slice(0, LONGEST_ANSWER)
  }

  /** @throws ComponentError if its program is not the one that the machine was given */
  async #checkProgram({ pid }: FoundProcess): Promise<void> {
    const evidence = await this.#around.genuine.doubt(this.name, pid)
    if (evidence === undefined) return
    throw await this.#error({ kind: "not-genuine", pid, evidence })
  }

  /** @throws ComponentError if this process does not listen on the component's port */
  async #checkIdentity(process: FoundProcess): Promise<void> {
    const { machine } = this.#around
    const { port } = this.settings.address ?? {}
    const holders = port === undefined ? [] : await listeners(machine, port)
    if (port !== undefined && !holders.some(({ pid }) => pid === process.pid))
      throw await this.#error({ kind: "foreign-listener", pid: process.pid, port, holder: holders[0] })
  }

  /** If the standard error of the process is a file, that file is the log of the component. */
  async #followLog(pid: number): Promise<void> {
    const { stdout } = await this.#around.machine.run(["readlink", `/proc/${pid}/fd/2`])
    if (stdout.startsWith("/") && !stdout.startsWith("/dev/")) this.#logPath = stdout.trim()
  }

  /** @param certain the cause, if it is known already */
  async #error(failure: WithoutLog, certain?: Finding): Promise<ComponentError> {
    const { machine, explain } = this.#around
    const whole = this.#whole(failure, (await logLines(machine, this.#logPath)).slice(-LOG_LINES))
    const explained = await explain(whole)
    return new ComponentError(whole, certain ?? explained)
  }

  #whole(failure: WithoutLog, log: readonly string[]): ComponentFailure {
    return { ...failure, name: this.name, log, logPath: this.#logPath }
  }

  async stop(): Promise<void> {
    await this.#end("TERM")
  }

  async kill(): Promise<void> {
    await this.#end("KILL")
  }

  /** Ends it and forgets how it was started, because its script has changed. */
  async discard(): Promise<void> {
    await this.kill()
    await this.#thaw()
    this.#original = undefined
  }

  async restart(changes: FlagChanges = {}): Promise<void> {
    await this.stop()
    await this.start(changes)
  }

  async another(changes: FlagChanges): Promise<Beside> {
    const other = new ScriptComponent(this.name, this.#around)
    other.#original = this.#process ?? this.#original
    other.#isMeantToBe = true
    const { argv, env, cwd } = other.#original ?? { argv: [this.name], env: {}, cwd: "/root" }
    other.#logPath = logOf(this.name).replace(/\.log$/, "-2.log")
    await other.#untilReady(
      await this.#around.machine.spawn(argvWith(argv, changes), { env, cwd, log: other.#logPath }),
    )
    return { pid: other.pid, kill: () => other.kill(), [Symbol.asyncDispose]: () => other.kill() }
  }

  async #end(signal: "TERM" | "KILL"): Promise<void> {
    this.#isMeantToBe = false
    this.see(await findProcesses(this.#around.machine))
    const process = this.#process
    if (process === undefined) return
    const { machine } = this.#around
    await this.#freezeAbove(process.pid)
    await machine.run(["kill", `-${signal}`, String(process.pid)])
    await machine.run(["kill", "-CONT", String(process.pid)])
    const deadline = performance.now() + GRACE
    let isForced = false
    while (await isThere(machine, process.pid)) {
      if (performance.now() > deadline && !isForced) {
        isForced = true
        await machine.run(["kill", "-KILL", String(process.pid)])
      }
      await sleep(POLL_INTERVAL / 4)
    }
    this.#process = undefined
    const exit: Exit = { code: null, signal: isForced ? "SIGKILL" : `SIG${signal}` }
    reportComponent({ type: "component exited", component: this.name, pid: process.pid, exit })
  }

  /**
   * Suspends the ancestors of a process, so that a supervisor does not start the component again while it must be down.
   */
  async #freezeAbove(pid: number): Promise<void> {
    const { machine } = this.#around
    const { stdout } = await machine.run(["ps", "-e", "-o", "pid=,ppid=,args="])
    const rows = new Map(
      stdout
        .split("\n")
        .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
        .filter((row) => row !== null)
        .map(([, own, parent, args]) => [Number(own), { parent: Number(parent), args: args ?? "" }]),
    )
    const above: number[] = []
    for (let at = rows.get(pid)?.parent ?? 0; at > 1; at = rows.get(at)?.parent ?? 0) {
      // This is the agent of the machine, which must keep running.
      if (rows.get(at)?.args.includes("/run/byhand/") === true) break
      above.push(at)
    }
    this.#isStaticPod = above.some((id) => rows.get(id)?.args.includes("containerd-shim") === true)
    if (above.length > 0) await machine.run(["kill", "-STOP", ...above.map(String)])
    this.#frozen = [...this.#frozen, ...above]
  }

  async #thaw(): Promise<void> {
    if (this.#frozen.length > 0) await this.#around.machine.run(["kill", "-CONT", ...this.#frozen.map(String)])
    this.#frozen = []
  }
}

async function isThere(machine: Machine, pid: number): Promise<boolean> {
  const { stdout } = await machine.run(["ps", "-o", "stat=", "-p", String(pid)])
  return stdout.trim() !== "" && !stdout.trim().startsWith("Z")
}

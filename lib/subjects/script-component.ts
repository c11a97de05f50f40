import { setTimeout as sleep } from "node:timers/promises"
import { Pace } from "../base/pace.ts"
import { ComponentError, LOG_LINES, LONGEST_ANSWER, pidOf, type WithoutLog } from "../clusters/errors.ts"
import type { Known } from "../clusters/known.ts"
import { GRACE, type Beside, type Part } from "../clusters/part.ts"
import { logLines } from "../clients/log.ts"
import { ownLines } from "../clients/own-lines.ts"
import { listeners } from "../clients/sockets.ts"
import { argvOf, logOf, type Component, type ComponentName, type FlagChanges } from "../components/component.ts"
import type { ComponentFailure, ScriptPlace } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import { Wait } from "../failures/wait.ts"
import {
  againOf,
  argvWith,
  findProcesses,
  isStandIn,
  programPathOf,
  STAND_IN_MARK,
  type FoundProcess,
} from "../components/discovery/process.ts"
import { reportComponent } from "../components/component-event.ts"
import { ask } from "../clients/probe.ts"
import { probeOf } from "../components/discovery/settings.ts"
import { settingsOf, specOf, type SettingsOf } from "../components/registry.ts"
import { noFiles, withFilesOf } from "../components/settings/files.ts"
import type { Started } from "../components/settings/flags.ts"
import type { Exit, Spawned } from "../machines/machine.ts"
import { furtherMachine } from "../machines/network.ts"
import type { Around, Run } from "./around.ts"
import { fileOf, type Sighting } from "./sightings.ts"
import { HOME } from "./folder.ts"
import { otherValue } from "./own-values.ts"
import { COMEBACK, Ending, exitOf, isThere, scriptEnd, type End } from "./ending.ts"

const POLL_INTERVAL = 100
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
  /** Its last process that ended before a look could find it. */
  #shortLived: Sighting | undefined
  /** The PID of its last process. */
  #lastPid: number | undefined
  #settings: SettingsOf<Name> | undefined
  #failure: Error | undefined
  #isMeantToBe = false
  #isReady = false
  /** Its process that ended by itself, although it was ready and no lesson ended it, until that is reported. */
  #unexpected: FoundProcess | undefined
  /** Its ancestor processes that are suspended (SIGSTOP), so that they do not start it again. */
  #frozen: readonly number[] = []
  #isStaticPod = false
  #logPath: string
  /** Whether a process can be it, if not all can: the end of a second instance must not lead to the first. */
  #isOwn: (process: Pick<FoundProcess, "pid" | "argv">) => boolean = () => true
  /** The other processes of the same instance, as they were found last. They start and end with this one. */
  #fellows: readonly ScriptComponent<Name>[] = []
  /** The script that starts it. */
  #scriptPath: string | undefined
  #starting: Promise<void> | undefined

  constructor(name: Name, around: Around) {
    this.name = name
    this.#around = around
    this.#logPath = logOf(name)
  }

  get pid(): number {
    return pidOf(this.#process, this.name, this.#logPath)
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

  /** Whether it is ours, in place of the learner's. */
  get isStandIn(): boolean {
    return isStandIn(this)
  }

  /** Its process, or else how it was started before. */
  get #lastKnown() {
    return this.#process ?? this.#original ?? this.#shortLived
  }

  get argv(): readonly string[] {
    return this.#lastKnown?.argv ?? [this.name]
  }

  get env(): Readonly<Record<string, string>> {
    return this.#lastKnown?.env ?? {}
  }

  get cwd(): string {
    return this.#lastKnown?.cwd ?? "/root"
  }

  /** How its script started it, as far as that is known; otherwise only its name. */
  get attempted(): Started {
    if (this.#lastKnown !== undefined) return this.#lastKnown
    const failure = this.#failure instanceof ComponentError ? this.#failure.failure : undefined
    const argv = failure?.kind === "component-exited" ? failure.argv : undefined
    return { argv: argv ?? [this.name], cwd: HOME }
  }

  get settings(): SettingsOf<Name> {
    return this.#settings ?? settingsOf(this.name, this, noFiles)
  }

  get known(): Known {
    return {
      name: this.name,
      argv: this.argv,
      pid: this.#lastPid,
      hasRunBefore: this.#process !== undefined && this.#process.pid !== this.#original?.pid,
      isMeantToBe: this.#isMeantToBe || this.isRunning,
      logPath: this.#logPath,
      ...(this.#scriptPath === undefined ? {} : { scriptPath: this.#scriptPath }),
    }
  }

  /**
   * Updates the known process. Of several processes of the component, the one that was known before is kept; otherwise
   * the oldest is used.
   */
  see(processes: readonly FoundProcess[]): void {
    const own = processes.filter(
      (one) => one.name === this.name && this.#isOwn(one) && !this.#fellows.some((fellow) => fellow.#isOwn(one)),
    )
    const before = this.#process
    this.#process = own.find(({ pid }) => pid === before?.pid) ?? own[0]
    this.#lastPid = this.#process?.pid ?? this.#lastPid
    if (before !== undefined && this.#process?.pid !== before.pid) {
      reportComponent({ type: "component exited", component: this.name, pid: before.pid, exit: undefined })
      this.#noteEnd(before)
    }
    if (this.#process !== undefined && this.#process.pid !== before?.pid)
      reportComponent({ type: "component started", component: this.name, pid: this.#process.pid })
    if (this.#process !== undefined) this.#original ??= this.#process
  }

  #noteEnd(process: FoundProcess): void {
    const { disturbances } = this.#around
    if (this.#isReady && this.#isMeantToBe && !disturbances.excuses(this.name)) this.#unexpected = process
    disturbances.ends(this.name)
    // A supervisor has started it again.
    if (this.#process === undefined) this.#isReady = false
    else disturbances.isReady(this.name)
  }

  /** The error of an end that no lesson caused. It is returned once; undefined if there was none. */
  async unexpectedExit(): Promise<ComponentError | undefined> {
    const process = this.#unexpected
    this.#unexpected = undefined
    if (process === undefined) return undefined
    const run = this.#around.runOf(this.name)
    return this.#error({
      kind: "component-exited",
      exit: run?.pid === process.pid ? run.exit : undefined,
      after: undefined,
      wasReady: true,
      isBack: this.isRunning,
      argv: process.argv,
    })
  }

  /**
   * Forgets how it was started, because a script starts it in another way. Its process may end, and the next start
   * accepts the new one.
   */
  renew(): void {
    this.#original = undefined
    this.#isMeantToBe = false
    this.#isReady = false
    this.#unexpected = undefined
    this.#failure = undefined
    this.#fellows = []
  }

  /** The error of a script that has ended before it has started this component, or started it in another way. */
  async notStartedBy(run: Run): Promise<ComponentError> {
    this.#logPath = run.log
    const hasStarted = this.isRunning && this.#around.sightings.has(this.name, run.seenBefore)
    return this.#error({ ...(await scriptEnd(run, this.isRunning)), ...(hasStarted && { hasStarted }) }, undefined, run)
  }

  /** The error of a script that changes how this component is started and does not come past a command. */
  async stuckIn(run: Run, place: ScriptPlace, waited: number): Promise<ComponentError> {
    this.#logPath = run.log
    return this.#error({ kind: "script-runs-on", script: run.name, waited, place }, undefined, run)
  }

  /** The error of a process that a script has started, and that ended while an older one ran on. */
  async endedBeside(run: Run, process: Sighting): Promise<ComponentError> {
    this.#logPath = process.log ?? run.log
    this.#lastPid = process.pid
    return this.#error(await exitOf(this.name, run, process), undefined, run)
  }

  /** Forgets an end that was not caused by a lesson, because it is reported already. */
  forgetExit(): void {
    this.#unexpected = undefined
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
    const since = performance.now()
    try {
      await this.#around.sightings.during(async () => {
        const spawned = this.isRunning ? undefined : await this.#bringAbout(changes)
        // A member of etcd is ready when most members run.
        await Promise.all([this.#untilReady(spawned, since), ...this.#fellows.map((fellow) => fellow.start())])
        if (Object.keys(changes).length === 0) await this.#checkValues()
      })
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
    const { env, cwd } = this.#original
    this.#logPath = logOf(this.name)
    return machine.spawn(argvWith(againOf(this.#original), changes), { env, cwd, log: this.#logPath })
  }

  /** Whether a supervisor of the learner, or the kubelet, has started the component again. */
  async #comesBack(above: readonly number[]): Promise<boolean> {
    const { machine } = this.#around
    const deadline = performance.now() + (this.#isStaticPod ? this.#around.patience : COMEBACK)
    const pace = new Pace(POLL_INTERVAL)
    while (performance.now() < deadline) {
      this.see(await findProcesses(machine))
      if (this.isRunning) return true
      // The ancestors have ended, so none of them can start it again.
      if ((await machine.run(["kill", "-0", ...above.map(String)])).exitCode !== 0) return false
      await pace.pause()
    }
    return false
  }

  /** @param since when the wait began, which includes the time until its script had started (performance.now()) */
  async #untilReady(spawned: Spawned | undefined, since: number): Promise<void> {
    const { machine, patience } = this.#around
    const ending = new Ending(this.name, this.#around, spawned, since)
    let seen: FoundProcess | undefined
    let answer: string | undefined
    const failure = () =>
      seen === undefined
        ? { kind: "not-started" as const, script: this.#around.runOf(this.name)?.name, waited: ending.elapsed }
        : { kind: "not-ready" as const, waited: ending.elapsed, answer }
    using wait = new Wait(`${this.name} becomes ready`, () => this.#whole(failure(), []), this.#around.foresee)
    const pace = new Pace(POLL_INTERVAL)
    for (;;) {
      const processes = await findProcesses(machine)
      this.see(
        spawned === undefined
          ? processes
          : processes.filter(({ pid, name }) => name !== this.name || pid === spawned.pid),
      )
      let end: End | undefined
      if (this.#process === undefined) end = await ending.absence(seen)
      else {
        if (seen?.pid !== this.#process.pid) await this.#checkProgram(this.#process)
        seen = this.#process
        await this.#followLog(seen.pid)
        const unready = await Promise.race([this.#unreadiness(seen, processes), wait.certainty])
        if (typeof unready === "object")
          throw await this.#error({ kind: "not-ready", waited: ending.elapsed, answer, isCertain: true }, unready)
        answer = unready
        if (answer === undefined) break
        end = (await ending.crashLoop()) ?? (await ending.withoutAccess(seen))
      }
      if (end === undefined && ending.elapsed > patience) end = await ending.timeout(seen, answer)
      if (end !== undefined) {
        this.#logPath = end.logPath ?? this.#logPath
        this.#shortLived = end.process
        this.#lastPid = end.process?.pid ?? this.#lastPid
        throw await this.#error(end.failure)
      }
      await pace.pause()
    }
    const milliseconds = Math.round(ending.elapsed)
    reportComponent({ type: "component ready", component: this.name, pid: seen.pid, milliseconds })
    const found = seen
    this.#settings = await withFilesOf(machine, (files) => settingsOf(this.name, found, files))
    await this.#checkIdentity(found)
    this.#original ??= found
    this.#isReady = true
    this.#around.disturbances.isReady(this.name)
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

  /** @throws ComponentError if it does not have the values of the student */
  async #checkValues(): Promise<void> {
    const other = this.isStandIn ? undefined : otherValue(this.#around.own, this)
    if (other !== undefined) throw await this.#error(other)
  }

  /** @throws ComponentError if this process does not listen on the component's port */
  async #checkIdentity(process: FoundProcess): Promise<void> {
    const { machine } = this.#around
    const { port } = this.settings.address ?? {}
    const holders = port === undefined ? [] : await listeners(machine, port)
    if (port !== undefined && !holders.some(({ pid }) => pid === process.pid))
      throw await this.#error({ kind: "foreign-listener", pid: process.pid, port, holder: holders[0] })
  }

  /**
   * If the standard error of the process leads to a file, also through a pipe, that file is the log of the component.
   */
  async #followLog(pid: number): Promise<void> {
    const { stdout } = await this.#around.machine.run(["readlink", `/proc/${pid}/fd/2`])
    const piped = this.#around.sightings.of(this.name).findLast((one) => one.pid === pid)?.log
    this.#logPath = fileOf(stdout.trim()) ?? piped ?? this.#logPath
  }

  /** @param certain the cause, if it is known already */
  async #error(
    failure: WithoutLog,
    certain?: Finding,
    run: Run | undefined = this.#around.runOf(this.name),
  ): Promise<ComponentError> {
    const { machine, explain } = this.#around
    if ("place" in failure) this.#scriptPath = failure.place?.file ?? this.#scriptPath
    const log = ownLines(await logLines(machine, this.#logPath), this.name, this.#lastPid).slice(-LOG_LINES)
    const whole = { ...this.#whole(failure, log), bash: await this.#bashErrors(this.isStandIn ? undefined : run) }
    const explained = await explain(whole, certain)
    return new ComponentError(whole, certain ?? explained)
  }

  #whole(failure: WithoutLog, log: readonly string[]): ComponentFailure {
    return { ...failure, name: this.name, log, logPath: this.#logPath, ...furtherMachine(this.#around.machine) }
  }

  /** The errors that bash has printed about its script; undefined if there are none. */
  async #bashErrors(run: Run | undefined): Promise<string[] | undefined> {
    if (run === undefined) return undefined
    const lines = await logLines(this.#around.machine, run.log)
    const errors = lines.filter((line) => /^\S+: line \d+: /.test(line))
    return errors.length === 0 ? undefined : errors.slice(-LOG_LINES)
  }

  async stop(): Promise<void> {
    await this.#endAll("TERM")
  }

  async kill(): Promise<void> {
    await this.#endAll("KILL")
  }

  async fellows(): Promise<readonly SettingsOf<Name>[]> {
    await this.#findFellows()
    return this.#fellows.map(({ settings }) => settings)
  }

  /** Looks for the other processes of the same instance. If it does not run, those that were found last remain. */
  async #findFellows(): Promise<void> {
    const { machine } = this.#around
    const spec = specOf(this.name)
    const processes = await findProcesses(machine)
    this.see(processes)
    if (!this.isRunning || spec.isFellow === undefined) return
    const others = processes.filter((one) => one.name === this.name && one.pid !== this.pid)
    const found = await withFilesOf(machine, (files) =>
      others.flatMap((process) => {
        const settings = settingsOf(this.name, process, files)
        return spec.isFellow?.(this.settings, settings) === true ? [{ process, settings }] : []
      }),
    )
    this.#fellows = found.map(({ process, settings }) => this.#fellowOf(process, settings))
  }

  #fellowOf(process: FoundProcess, settings: SettingsOf<Name>): ScriptComponent<Name> {
    const words = process.argv.join("\0")
    const known = this.#fellows.find((fellow) => fellow.#isOwn(process))
    if (known !== undefined) return known
    // Only the first member of etcd has a name of the student.
    const fellow = new ScriptComponent(this.name, { ...this.#around, own: undefined })
    fellow.#isOwn = ({ argv }) => argv.join("\0") === words
    fellow.#process = process
    fellow.#original = process
    fellow.#settings = settings
    fellow.#isMeantToBe = true
    return fellow
  }

  async #endAll(signal: "TERM" | "KILL"): Promise<void> {
    if (specOf(this.name).isFellow !== undefined) await this.#findFellows()
    await Promise.all([this, ...this.#fellows].map((one) => one.#end(signal)))
  }

  /** Ends it and forgets how it was started, because its script has changed. */
  async discard(): Promise<void> {
    await this.kill()
    await Promise.all([this, ...this.#fellows].map((one) => one.#thaw()))
    this.#original = undefined
    this.#fellows = []
  }

  /** Ends it and starts ours in its place. @throws ComponentError if ours does not start */
  async replaceBy(ours: Component): Promise<void> {
    await this.discard()
    await Promise.all(ours.files.map(({ path, content, mode }) => this.#around.machine.write(path, content, mode)))
    this.#shortLived = undefined
    this.#scriptPath = undefined
    this.#settings = undefined
    this.#unexpected = undefined
    this.#original = {
      name: this.name,
      pid: 0,
      state: "running",
      argv: argvOf(ours),
      exe: programPathOf(this.name),
      env: { [STAND_IN_MARK]: "1" },
      cwd: "/root",
    }
    await this.start()
  }

  async restart(changes: FlagChanges = {}): Promise<void> {
    await this.stop()
    await this.start(changes)
  }

  async another(changes: FlagChanges): Promise<Beside> {
    const other = new ScriptComponent(this.name, this.#around)
    other.#original = this.#process ?? this.#original
    other.#isMeantToBe = true
    const { env, cwd } = other.#original ?? { env: {}, cwd: "/root" }
    const argv = other.#original === undefined ? [this.name] : againOf(other.#original)
    other.#logPath = logOf(this.name).replace(/\.log$/, "-2.log")
    const spawned = await this.#around.machine.spawn(argvWith(argv, changes), { env, cwd, log: other.#logPath })
    other.#isOwn = ({ pid }) => pid === spawned.pid
    await other.#untilReady(spawned, performance.now())
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
    this.#isReady = false
    this.#around.disturbances.ends(this.name)
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

import { ask } from "../clients/probe.ts"
import { logLines } from "../clients/log.ts"
import { listeners } from "../clients/sockets.ts"
import { ComponentError, LOG_LINES, LONGEST_ANSWER, pidOf, type WithoutLog } from "../clusters/errors.ts"
import type { Known } from "../clusters/known.ts"
import type { Beside, Part } from "../clusters/part.ts"
import { logOf } from "../components/component.ts"
import type { Access } from "../components/discovery/access.ts"
import type { FoundProcess } from "../components/discovery/process.ts"
import { probeOf } from "../components/discovery/settings.ts"
import { settingsOf, type ComponentName, type SettingsOf } from "../components/registry.ts"
import { noFiles, withFilesOf } from "../components/settings/files.ts"
import type { Explain } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import type { Machine } from "../machines/machine.ts"
import { doubtOf } from "./host-genuine.ts"
import { otherValue, type OwnValues } from "./own-values.ts"
import { howStarted, type Origin } from "./host-origin.ts"

/** What a component of a host needs of the rest. */
export interface HostSurroundings {
  readonly machine: Machine
  readonly explain: Explain
  /** The values that the cluster must have; undefined if a student may choose all of them. */
  readonly own: OwnValues | undefined
  /** The credentials of an administrator. */
  readonly administrator: () => Promise<Access>
}

/** A component on a running host. It can be started in any way. byhand only looks at it. */
export class HostComponent<Name extends ComponentName = ComponentName> implements Part<Name> {
  readonly name: Name
  readonly #around: HostSurroundings
  #process: FoundProcess | undefined
  #settings: SettingsOf<Name> | undefined
  #origin: Origin | undefined
  #failure: Error | undefined
  #isWanted = false
  /** The process that was found to be ready. */
  #checked: number | undefined

  constructor(name: Name, around: HostSurroundings) {
    this.name = name
    this.#around = around
  }

  /** Takes note of the process that runs now, and reads its settings. */
  async see(processes: readonly FoundProcess[]): Promise<void> {
    const own = processes.filter(({ name }) => name === this.name)
    const before = this.#process
    this.#process = own.find(({ pid }) => pid === before?.pid) ?? own[0]
    const found = this.#process
    if (found === undefined || found.pid === before?.pid) return
    const { machine } = this.#around
    const [settings, origin] = await Promise.all([
      withFilesOf(machine, (files) => settingsOf(this.name, found, files)),
      howStarted(machine, found.pid),
    ])
    this.#settings = settings
    this.#origin = origin
  }

  get pid(): number {
    return pidOf(this.#process, this.name, this.#logPath)
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  get argv(): readonly string[] {
    return this.#process?.argv ?? [this.name]
  }

  get env(): Readonly<Record<string, string>> {
    return this.#process?.env ?? {}
  }

  get cwd(): string {
    return this.#process?.cwd ?? "/"
  }

  get settings(): SettingsOf<Name> {
    return this.#settings ?? settingsOf(this.name, this, noFiles)
  }

  /** What has started it, such as "the unit etcd.service". undefined if it does not run. */
  get origin(): string | undefined {
    return this.#process && this.#origin?.title
  }

  get #logPath(): string {
    return this.#origin?.log ?? logOf(this.name)
  }

  get known(): Known {
    return {
      name: this.name,
      argv: this.argv,
      isMeantToBe: this.#isWanted || this.isRunning,
      logPath: this.#logPath,
    }
  }

  /**
   * Checks that it runs, is ready, and holds its port itself. It is asked once for each process.
   * @throws ComponentError
   */
  async start(): Promise<void> {
    this.#isWanted = true
    if (this.#process !== undefined && this.#checked === this.#process.pid) return
    try {
      await this.#check()
      this.#failure = undefined
      this.#checked = this.#process?.pid
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }

  async #check(): Promise<void> {
    const { machine, administrator } = this.#around
    const found = this.#process
    if (found === undefined) throw await this.#error({ kind: "not-running" })
    const evidence = await doubtOf(machine, this.name, found.pid)
    if (evidence !== undefined)
      throw await this.#error(
        { kind: "not-genuine", pid: found.pid, evidence },
        another(this.name, found.pid, evidence),
      )
    const began = performance.now()
    const { probe, address } = await probeOf(machine, found, [])
    const { isWell, answer } = await ask(machine, probe, administrator)
    // A host can have containerd without ctr. Then its socket must do.
    const isSilent =
      probe.by === "command" &&
      answer.startsWith("status 127") &&
      this.name === "containerd" &&
      (await this.#hasSocket())
    if (!isWell && !isSilent) {
      const waited = performance.now() - began
      throw await this.#error({ kind: "not-ready", waited, answer: answer.slice(0, LONGEST_ANSWER) })
    }
    if (address === undefined) return
    const holders = await listeners(machine, address.port)
    if (!holders.some(({ pid }) => pid === found.pid))
      throw await this.#error({ kind: "foreign-listener", pid: found.pid, port: address.port, holder: holders[0] })
    const other = otherValue(this.#around.own, this)
    if (other !== undefined) throw await this.#error(other)
  }

  async #hasSocket(): Promise<boolean> {
    const { socket } = settingsOf("containerd", this, noFiles)
    return (await this.#around.machine.run(["test", "-S", socket])).exitCode === 0
  }

  /** @param certain the cause, if it is known already */
  async #error(failure: WithoutLog, certain?: Finding): Promise<ComponentError> {
    const { machine, explain } = this.#around
    const log = (await logLines(machine, this.#logPath)).slice(-LOG_LINES)
    const whole = { ...failure, name: this.name, log, logPath: this.#logPath }
    return new ComponentError(whole, certain ?? (await explain(whole)))
  }

  stop(): Promise<void> {
    return this.#refuse()
  }

  kill(): Promise<void> {
    return this.#refuse()
  }

  restart(): Promise<void> {
    return this.#refuse()
  }

  another(): Promise<Beside> {
    return this.#refuse()
  }

  /** The lessons ask what the subject permits before they do this. */
  #refuse(): Promise<never> {
    return Promise.reject(new TypeError(`${this.name} runs on a host that is only looked at.`))
  }
}

/** The finding for a program under the name of a component. */
function another(component: ComponentName, pid: number, evidence: string): Finding {
  return {
    id: "not-genuine",
    component,
    cause: `the process with the name of ${component} runs another program`,
    evidence,
    remedy: `Start ${component} itself.`,
    look: `ls -l /proc/${pid}/exe`,
  }
}

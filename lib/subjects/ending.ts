import { basename } from "node:path/posix"
import { messageOf } from "../base/errors.ts"
import { near } from "../base/nearest.ts"
import { commandAt } from "../base/shell.ts"
import { logLines } from "../clients/log.ts"
import type { WithoutLog } from "../clusters/errors.ts"
import type { ComponentName } from "../components/component.ts"
import { NoAccessError } from "../components/discovery/access.ts"
import type { FoundProcess } from "../components/discovery/process.ts"
import { specOf, specs } from "../components/registry.ts"
import type { ScriptPlace } from "../failures/failure.ts"
import type { Exit, Machine, Spawned } from "../machines/machine.ts"
import type { Around, Run } from "./around.ts"
import { argvOfCommand, logOfCommand } from "./redirection.ts"
import type { Sighting } from "./sightings.ts"
import { lastOf, lastWith, missedBy, stuckAt } from "./trace.ts"

/**
 * How long a learner's supervisor may take to start a component again (milliseconds). For a static Pod the limit is
 * longer, because the kubelet increases the delay after each restart.
 */
export const COMEBACK = 5_000
/**
 * The same for a component that has never been started again. The limit is shorter, because most scripts have no
 * supervisor: then the end of the component is final.
 */
export const FIRST_COMEBACK = 2_000
/** How long a component may take to appear after its script has ended (milliseconds). */
const SETTLE = 5_000
/** How often a component may end before it is ready, until its restarts by a supervisor count as a crash loop. */
const CRASHES = 3
/** How long a state that cannot change by itself must last until it counts (milliseconds). */
export const AGREEING = 1_000

/**
 * How long a script that goes on may take to give a user a role, after kube-apiserver refuses that user (milliseconds).
 */
const BINDS = 10_000

/** The end of a wait. */
export interface End {
  readonly failure: WithoutLog
  /** The log in which the cause is to be found; undefined if it is the one that is known. */
  readonly logPath?: string | undefined
  /** The process that has ended. */
  readonly process?: Sighting | undefined
}

/**
 * One wait until a component is ready. It tells when the wait is over without success, from what is seen of the
 * component's processes and of its script.
 */
export class Ending {
  readonly #name: ComponentName
  readonly #around: Around
  readonly #spawned: Spawned | undefined
  readonly #since: number
  /** The number of processes that had been seen when the wait began. */
  readonly #seenBefore: number
  #exit: Exit | undefined
  #scriptEnded: number | undefined
  /** Since when states that cannot change by themselves have lasted (performance.now()). */
  readonly #lasting = new Map<string, number>()

  /**
   * @param spawned the process that was started again with the command line of an earlier one; undefined if a script
   * or a supervisor starts the component
   * @param since when the wait began (performance.now())
   */
  constructor(name: ComponentName, around: Around, spawned: Spawned | undefined, since: number) {
    this.#name = name
    this.#around = around
    this.#spawned = spawned
    this.#since = since
    this.#seenBefore = around.sightings.count
    void spawned?.exit.then((exit) => {
      this.#exit = exit
    })
  }

  /** Milliseconds. */
  get elapsed(): number {
    return performance.now() - this.#since
  }

  get #run(): Run | undefined {
    return this.#around.runOf(this.#name)
  }

  /**
   * What it means that the component has no process now; undefined if it can still be started. An end of the component
   * is reported as that, and not as the end of its script.
   * @param seen its last process that a look found
   */
  async absence(seen: FoundProcess | undefined): Promise<End | undefined> {
    if (this.#spawned !== undefined)
      return this.#exit && { failure: { kind: "component-exited", exit: this.#exit, after: this.elapsed } }
    const run = this.#run
    const last = this.#around.sightings.of(this.#name, run?.seenBefore).at(-1)
    if (last !== undefined) return this.#endOf(last)
    if (seen !== undefined)
      return { failure: { kind: "component-exited", exit: undefined, after: this.elapsed, argv: seen.argv } }
    const missing = this.#around.missingScript(this.#name)
    if (missing !== undefined && this.#cannotStartMore(run)) {
      this.#scriptEnded ??= this.elapsed
      if (this.elapsed - this.#scriptEnded <= SETTLE) return undefined
      return { failure: { kind: "not-started", script: run?.name, missing, waited: this.elapsed } }
    }
    if (run === undefined) return undefined
    const unseen = await this.#unseen(run)
    if (unseen !== undefined) return unseen
    if (run.exit !== undefined) {
      this.#scriptEnded ??= this.elapsed
      const hasFailed = run.exit.code !== 0 && run.exit.code !== null
      if (!hasFailed && this.elapsed - this.#scriptEnded <= SETTLE) return undefined
      return { failure: await scriptEnd(run, false), logPath: run.log }
    }
    if (!this.#lasts("not found", await this.#isNotFound(run))) return undefined
    const place = await currentPlace(run)
    return { failure: { kind: "not-started", script: run.name, waited: this.elapsed, place }, logPath: run.log }
  }

  /** Whether a script has succeeded, or has become a component that starts no other one. Then none follows. */
  #cannotStartMore(run: Run | undefined): boolean {
    if (run === undefined || run.exit?.code === 0) return true
    const others = specs.filter(({ name }) => name !== this.#name && name !== "kubelet")
    return others.some(({ name }) => this.#around.sightings.of(name).some(({ pid }) => pid === run.pid))
  }

  /** The end of a process that a script or a supervisor has started; undefined if it may be started again. */
  async #endOf(process: Sighting): Promise<End | undefined> {
    const run = this.#run
    if (process.noticed === undefined) return undefined // It lives: the next look finds it.
    const isScript = run?.pid === process.pid // The script became the component with exec.
    if (isScript && run?.exit === undefined) return undefined // Its exit status follows.
    const times = this.#around.sightings.of(this.#name, this.#seenBefore).length
    const isLate = performance.now() - process.noticed > (times > 1 ? COMEBACK : FIRST_COMEBACK)
    if (!isScript && !isLate && times < CRASHES && (await isThere(this.#around.machine, process.parent)))
      return undefined
    return this.#exited(process, times)
  }

  /**
   * The end of a process that lived too short to be seen on a busy machine: the script has run its command, bash has
   * found the program, the script has gone on or ended, and there is no such process.
   */
  async #unseen(run: Run): Promise<End | undefined> {
    const commands = (await run.trace?.commands()) ?? []
    const place = lastWith(commands, this.#name)
    if (place === undefined || run.pid === undefined) return undefined
    const now = lastOf(commands, run.pid)
    const isLast = place.file === now?.file && place.line === now.line
    // A script that goes on can start it again. A script that has ended cannot.
    const time = run.exit === undefined ? FIRST_COMEBACK : 0
    const hasRun = run.exit !== undefined || !isLast
    if (!this.#lasts("unseen", hasRun && !(await this.#isNotFound(run)), time)) return undefined
    const isFile = !place.file.startsWith("/dev/") // bash reads <(…) from there.
    const script = isFile ? (await this.#around.machine.read(place.file).catch(() => "")).toString() : ""
    const command = commandAt(script, place.line)
    return {
      failure: {
        kind: "component-exited",
        exit: isLast && run.exit?.code !== 0 ? run.exit : undefined,
        after: undefined,
        argv: argvOfCommand(command, specOf(this.#name).program),
        place,
      },
      logPath: logOfCommand(command) ?? run.log,
    }
  }

  /** The end of a process, with the command that started it. */
  async #exited(process: Sighting, times: number): Promise<End> {
    const failure = await exitOf(this.#name, this.#run, process)
    return {
      failure: times > 1 ? { ...failure, times } : failure,
      logPath: process.log ?? this.#run?.log,
      process,
    }
  }

  /** A supervisor starts the component again and again, and it never becomes ready. */
  async crashLoop(): Promise<End | undefined> {
    const processes = this.#around.sightings.of(this.#name, this.#seenBefore)
    const ended = processes.filter((one) => one.ended !== undefined)
    const last = ended.at(-1)
    return last === undefined || ended.length < CRASHES ? undefined : this.#exited(last, ended.length)
  }

  /**
   * The component waits for a kubeconfig of the administrator, which no command will write any more: its script has
   * ended, or became the component, or waits for it in the foreground. kube-apiserver refuses the users of those that
   * exist.
   */
  async withoutAccess(process: FoundProcess): Promise<End | undefined> {
    const run = this.#run
    if (this.#spawned !== undefined || process.name !== "kube-apiserver" || run === undefined) return undefined
    const access = await this.#around.administrator().catch((error: unknown) => error)
    const place = await currentPlace(run)
    const isStuck =
      run.exit !== undefined ||
      run.pid === process.pid ||
      (place !== undefined && (await this.#isInForeground(run, place, process)))
    const tried = access instanceof NoAccessError ? access.tried : undefined
    const isMissing = tried?.length === 0
    const isRefused = tried?.some(({ answer }) => answer === "no") === true
    // A script that goes on may write a kubeconfig, or bind a role.
    const time = isMissing ? AGREEING : isStuck ? FIRST_COMEBACK : BINDS
    if (!this.#lasts("no access", (isMissing && isStuck) || isRefused, time)) return undefined
    const isRunning = run.exit === undefined && run.pid !== process.pid
    return {
      failure: {
        kind: "not-ready",
        waited: this.elapsed,
        answer: isMissing ? "there is no kubeconfig" : messageOf(access),
        tried,
        place: isRunning ? place : undefined,
      },
    }
  }

  /** Whether a script waits until a process ends, because the command that started it does not end in "&". */
  async #isInForeground(run: Run, place: ScriptPlace, process: FoundProcess): Promise<boolean> {
    const started = lastWith((await run.trace?.commands()) ?? [], this.#name)
    const parent = this.#around.sightings.of(this.#name).findLast(({ pid }) => pid === process.pid)?.parent
    return parent === run.pid && started?.file === place.file && started.line === place.line
  }

  /** The wait was in vain. */
  async timeout(seen: FoundProcess | undefined, answer: string | undefined): Promise<End> {
    const run = this.#run
    const goesOn = run !== undefined && run.exit === undefined
    const place = goesOn ? ((await stuckPlace(run, [])) ?? (await currentPlace(run))) : undefined
    if (seen !== undefined) return { failure: { kind: "not-ready", waited: this.elapsed, answer, place } }
    return { failure: { kind: "not-started", script: run?.name, waited: this.elapsed, place }, logPath: run?.log }
  }

  /**
   * Whether bash could not start the component, as it says itself: the program is mistyped or has another path, or a
   * file of a redirection cannot be opened.
   */
  async #isNotFound(run: Run): Promise<boolean> {
    const { program } = specOf(this.#name)
    const place = lastWith((await run.trace?.commands()) ?? [], this.#name)
    return (await logLines(this.#around.machine, run.log)).some((line) => {
      const [, number, word = ""] = /: line (\d+): ([^\s:]+): (?:command not found|[A-Z][a-z ]+)$/.exec(line) ?? []
      return word !== "" && (near(basename(word), [program]) !== undefined || Number(number) === place?.line)
    })
  }

  /** Whether a state has lasted for some time (milliseconds). */
  #lasts(state: string, is: boolean, time = AGREEING): boolean {
    if (!is) this.#lasting.delete(state)
    else if (!this.#lasting.has(state)) this.#lasting.set(state, performance.now())
    return performance.now() - (this.#lasting.get(state) ?? Number.POSITIVE_INFINITY) >= time
  }
}

/** The end of a component's process as a failure: its exit status, if it is known, and the command that started it. */
export async function exitOf(
  name: ComponentName,
  run: Run | undefined,
  process: Sighting,
): Promise<WithoutLog & { readonly kind: "component-exited" }> {
  const commands = (await run?.trace?.commands()) ?? []
  const place = lastWith(commands, name)
  const end = run?.pid === undefined ? undefined : lastOf(commands, run.pid)
  // If the component was the last command of its script, the script has ended with the component's exit status.
  const isLast = place !== undefined && place.file === end?.file && place.line === end.line
  const isKnown = run?.pid === process.pid || (run?.pid === process.parent && run.exit?.code !== 0 && isLast)
  const after = (process.ended ?? process.began) - process.began
  return { kind: "component-exited", exit: isKnown ? run?.exit : undefined, after, argv: process.argv, place }
}

/**
 * The end of a script as a failure, with its last command, and with the command whose end it has noticed.
 * @param wasRunning whether the component runs
 */
export async function scriptEnd(
  run: Run,
  wasRunning: boolean,
): Promise<WithoutLog & { readonly kind: "script-ended" }> {
  const commands = (await run.trace?.commands()) ?? []
  const [place, missed] = run.pid === undefined ? [] : [lastOf(commands, run.pid), missedBy(commands, run.pid)]
  return {
    kind: "script-ended",
    script: run.name,
    exit: run.exit ?? { code: null, signal: null },
    wasRunning,
    place,
    ...(missed === undefined ? {} : { missed }),
  }
}

/** The command that a script runs now, or has run last. */
export async function currentPlace(run: Run): Promise<ScriptPlace | undefined> {
  return run.pid === undefined ? undefined : lastOf((await run.trace?.commands()) ?? [], run.pid)
}

/**
 * The command that a script does not come past; undefined if the script has ended, has become a component, or waits for
 * what it has started.
 */
export async function stuckPlace(run: Run, processes: readonly FoundProcess[]): Promise<ScriptPlace | undefined> {
  if (run.pid === undefined || run.exit !== undefined || processes.some(({ pid }) => pid === run.pid)) return undefined
  const commands = (await run.trace?.commands()) ?? []
  const place = stuckAt(commands, run.pid)
  // A component in the foreground ends when it is ended.
  const isComponent = processes.some(({ name }) => {
    const start = lastWith(commands, name)
    return start !== undefined && start.file === place?.file && start.line === place.line
  })
  return isComponent ? undefined : place
}

/** Whether a process exists. */
export async function isThere(machine: Machine, pid: number): Promise<boolean> {
  const { stdout } = await machine.run(["ps", "-o", "stat=", "-p", String(pid)])
  return stdout.trim() !== "" && !stdout.trim().startsWith("Z")
}

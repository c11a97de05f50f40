import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync, readdirSync, watch } from "node:fs"
import { mkdir, utimes, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { messageOf } from "../../base/errors.ts"
import { census, type Census } from "../testing/census.ts"
import { Disk } from "./disk.ts"
import type { Draw } from "../draw.ts"
import type { Incident } from "./incidents.ts"
import type { Workspace } from "./workspace.ts"
import { LONG_RUN, SHORT_RUN, STRUCK, type Target } from "./targets.ts"
import { find } from "./victims.ts"

/** A file that the soak puts into the folder of a run's logs. If it is among the kept logs, the logs were kept. */
const MARK = "seen-by-soak"

/** The result of a round. */
export interface RoundResult {
  readonly incident: Incident
  readonly target: Target
  /** Seconds from the start of the run to the incident; undefined if the disk was too small from the start. */
  readonly moment: number | undefined
  readonly cleanAtOnce: boolean
  readonly cleanAfterNext: boolean
  readonly nextPassed: boolean
  readonly keptIntact: boolean
  /** Lines that describe what was wrong; empty if nothing was. */
  readonly problems: readonly string[]
}

/** Milliseconds. */
const TIME_TO_END = 180_000
const TIME_TO_CLEAN = 20_000
const TIME_TO_ANSWER = 10_000
const POLL_INTERVAL = 20

/** Disk sizes in kilobytes, each too small for some part of a run. */
const SMALL_SIZES = [64, 256, 1024, 4096, 16_384, 65_536, 98_304]

const LONG_RUN_EVERY = 10 // On average, one round in ten checks with the long run.

/** The duration of each target without an incident, in milliseconds. */
export type Durations = Map<Target, number>

/** One run with one incident, and the checks after it. */
export class Round {
  readonly #workspace: Workspace
  readonly #incident: Incident
  readonly #target: Target
  readonly #draw: Draw
  readonly #kept: string
  readonly #onDisk: boolean
  readonly #ids = new Set<string>()
  readonly #namespaces = new Set<string>()
  readonly #marked = new Set<string>()
  readonly #problems: string[] = []

  /** @param kept the state of the cluster that the incidents must not affect */
  constructor(options: { workspace: Workspace; incident: Incident; target: Target; draw: Draw; kept: string }) {
    this.#workspace = options.workspace
    this.#incident = options.incident
    this.#target = options.target
    this.#draw = options.draw
    this.#kept = options.kept
    this.#onDisk = options.incident.disk !== undefined
  }

  async play(durations: Durations): Promise<RoundResult> {
    const { moment, ...seen } = await this.#play(durations).catch((error: unknown) => {
      this.#problems.push(messageOf(error))
      return { moment: undefined, cleanAtOnce: false, cleanAfterNext: false, nextPassed: false, keptIntact: false }
    })
    return { incident: this.#incident, target: this.#target, moment, ...seen, problems: this.#problems }
  }

  async #play(durations: Durations) {
    const runs = this.#workspace.runs(this.#onDisk)
    await mkdir(runs, { recursive: true })
    using _watcher = disposable(
      watch(runs, (_, folder) => {
        if (folder !== null) this.#ids.add(folder)
      }),
    )
    const before = await this.#settled()
    const usual = durations.get(this.#target) ?? (await this.#measure())
    durations.set(this.#target, usual)
    const moment = await this.#struckRun(usual)
    await this.#endCluster()
    const cleanAtOnce = await this.#isCleanAtOnce(before)
    const nextPassed = await this.#nextRun()
    const cleanAfterNext = this.#same(
      "after the next run",
      before,
      await this.#censusLike((found) => equal(found, before)),
    )
    for (const id of this.#marked)
      if (!existsSync(join(this.#workspace.logs, id, MARK)))
        this.#problems.push(`The logs of the run ${id} were not kept.`)
    return { moment, cleanAtOnce, cleanAfterNext, nextPassed, keptIntact: await this.#isKeptIntact() }
  }

  /** @returns the moment of the incident */
  async #struckRun(usual: number): Promise<number | undefined> {
    for (let fraction = this.#draw("moment"); ; fraction /= 2) {
      await this.#prepare()
      if (this.#incident.disk === "small") await this.#workspace.disk.resize(this.#draw.of("size", SMALL_SIZES))
      const started = performance.now()
      const { child, output } = this.#workspace.type(this.#target.command, this.#onDisk)
      const moment = this.#incident.disk === "small" ? undefined : await this.#strike(child, started, fraction * usual)
      if (moment !== "too late") {
        await this.#end(child, output)
        return moment
      }
      await this.#endCluster()
      this.#marked.clear() // The next try has the same name, so that its logs replace these.
    }
  }

  /**
   * Waits for the moment, then causes the incident.
   * @returns seconds after the start, or "too late" if the run ended before the incident
   */
  async #strike(child: ChildProcess, started: number, moment: number): Promise<number | "too late"> {
    while (!hasEnded(child) && (performance.now() - started < moment || !(await this.#canStrike(child))))
      await sleep(POLL_INTERVAL)
    for (const namespace of (await this.#census()).namespaces) this.#namespaces.add(namespace)
    await this.#markLogs()
    if (hasEnded(child)) return "too late"
    const at = (performance.now() - started) / 1000
    const { kills = [], interrupts = 0, disk } = this.#incident
    const scene = await this.#scene(child)
    const victims = kills.flatMap((role) => {
      const found = find(role, scene)
      return kills.length === 1 && found.length > 1 ? [this.#draw.of("victim", found)] : found
    })
    for (const victim of victims) signal(victim, "SIGKILL")
    for (let count = 0; count < interrupts; count++) {
      if (count > 0) await sleep(this.#draw("again") * 500)
      signal(-scene.group, "SIGINT")
    }
    if (disk === "fills") await this.#workspace.disk.fill()
    return at
  }

  async #canStrike(child: ChildProcess): Promise<boolean> {
    const scene = await this.#scene(child)
    return this.#incident.disk === undefined
      ? (this.#incident.kills ?? ["runner"]).some((role) => find(role, scene).length > 0)
      : scene.machines.length > 0
  }

  async #scene({ pid = 0 }: ChildProcess) {
    return { group: pid, machines: await this.#workspace.machines(this.#onDisk) }
  }

  /** Waits for a run to end. A run that hangs is a problem and is killed. */
  async #ended(child: ChildProcess, output: () => Promise<string>): Promise<void> {
    if (hasEnded(child) || (await Promise.race([once(child, "exit"), sleep(TIME_TO_END, false, { ref: false })])))
      return
    this.#problems.push(`The run did not end within ${TIME_TO_END / 1000} s. ${tail(await output())}`)
    // Do not kill the process group, because it contains the supervisor.
    for (const runner of find("runner", await this.#scene(child))) signal(runner, "SIGKILL")
    await once(child, "exit")
  }

  async #end(child: ChildProcess, output: () => Promise<string>): Promise<void> {
    await this.#ended(child, output)
    if (!this.#onDisk) return
    await this.#workspace.disk.resize(Disk.ample)
    const said = await output()
    if (child.exitCode !== 0 && !/no space left|disk .*full/i.test(said))
      this.#problems.push(`Nothing says that the disk is full. ${tail(said)}`)
    if (/^\s+at .*:\d+:\d+\)?$/m.test(said)) this.#problems.push(`There is a stack trace. ${tail(said)}`)
  }

  /** Ends the cluster. If the incident killed only a shell in the cluster, the cluster must still run until then. */
  async #endCluster(): Promise<void> {
    if (this.#target.what === "lesson") return
    if (this.#target.what === "shell" && (this.#incident.kills ?? []).every((role) => role === "runner")) {
      const inside = await this.#workspace.byhand(["shell", "--name", STRUCK, "true"])
      if (inside.exitCode !== 0) this.#problems.push(`The cluster no longer runs. ${tail(inside.all)}`)
    }
    const down = await this.#workspace.byhand(["down", "--name", STRUCK], this.#onDisk)
    if (down.exitCode !== 0 && !down.all.includes("No cluster named"))
      this.#problems.push(`byhand down ended with ${down.exitCode ?? down.signal}. ${tail(down.all)}`)
  }

  /**
   * Whether nothing is left immediately after the run. If the supervisor was killed or had not started yet, the next
   * start may remove the folders instead of the supervisor.
   */
  async #isCleanAtOnce(before: Census): Promise<boolean> {
    const unattended = this.#incident.kills?.includes("supervisor") === true
    const isFine = async (found: Census) => {
      if (equal(found, before)) return true
      const without = unattended ? { files: [], cgroups: [] } : { files: [] }
      if (!equal({ ...found, ...without }, { ...before, ...without })) return false
      return (
        unattended ||
        (await this.#workspace.machines(this.#onDisk)).every((folder) => !existsSync(join(folder, "supervisor")))
      )
    }
    const found = await this.#censusLike(isFine)
    if (!(await isFine(found))) this.#same("at once", before, found)
    // A folder without an owner file is removed only if it is at least one minute old. So make the folder look older.
    for (const folder of await this.#workspace.machines(this.#onDisk))
      if (!existsSync(join(folder, "owner"))) await utimes(folder, 0, 0)
    return equal(found, before)
  }

  async #nextRun(): Promise<boolean> {
    const next = this.#draw("next") < 1 / LONG_RUN_EVERY ? LONG_RUN : SHORT_RUN
    const { child, output, result } = this.#workspace.type(next.command, this.#onDisk)
    await this.#ended(child, output)
    const found = await result()
    const passed = child.exitCode === 0 && found !== undefined && found.passed > 0 && found.failed === 0
    if (!passed)
      this.#problems.push(
        `The next run, ${next.name}, ended with ${child.exitCode ?? child.signalCode}. ${tail(await output())}`,
      )
    return passed
  }

  async #isKeptIntact(): Promise<boolean> {
    let found = await this.#workspace.kept()
    for (
      const deadline = performance.now() + TIME_TO_ANSWER;
      found !== this.#kept && performance.now() < deadline;
      found = await this.#workspace.kept()
    )
      await sleep(1_000)
    if (found !== this.#kept)
      this.#problems.push(
        "The cluster that must not be affected has changed:",
        ...found.split("\n").map((line) => `  ${line}`),
      )
    return found === this.#kept
  }

  /** Measures how long the run takes without an incident, in milliseconds. */
  async #measure(): Promise<number> {
    await this.#prepare()
    const started = performance.now()
    const { child, output } = this.#workspace.type(this.#target.command, this.#onDisk)
    await this.#ended(child, output)
    const took = performance.now() - started
    if (child.exitCode !== 0)
      throw new Error(`${this.#target.name} fails even without an incident. ${tail(await output())}`)
    await this.#endCluster()
    return took
  }

  async #prepare(): Promise<void> {
    const { before } = this.#target
    if (before === undefined) return
    const prepared = await this.#workspace.byhand(before, this.#onDisk)
    if (prepared.exitCode !== 0) throw new Error(`byhand ${before.join(" ")} failed. ${tail(prepared.all)}`)
  }

  /** Puts a file into the folder of logs of each machine. */
  async #markLogs(): Promise<void> {
    for (const folder of await this.#workspace.machines(this.#onDisk)) {
      const logs = join(folder, "disk", "root", "var", "log", "byhand")
      const hasAny = existsSync(logs) && readdirSync(logs).length > 0
      if (
        hasAny &&
        (await writeFile(join(logs, MARK), "").then(
          () => true,
          () => false,
        ))
      )
        this.#marked.add(basename(folder))
    }
  }

  #census(): Promise<Census> {
    return census(
      {
        runsDir: this.#workspace.runs(this.#onDisk),
        names: [`up-${STRUCK}`, ...this.#ids],
        folders: [this.#workspace.temporary],
      },
      [...this.#namespaces],
    )
  }

  async #censusLike(isFine: (found: Census) => boolean | Promise<boolean>): Promise<Census> {
    for (const deadline = performance.now() + TIME_TO_CLEAN; ; await sleep(POLL_INTERVAL)) {
      const found = await this.#census()
      if ((await isFine(found)) || performance.now() > deadline) return found
    }
  }

  /** Waits for two equal censuses in a row. Then all processes of the last round have ended. */
  async #settled(): Promise<Census> {
    let last: Census | undefined
    return this.#censusLike((found) => {
      const isSame = last !== undefined && equal(last, found)
      last = found
      return isSame
    })
  }

  #same(when: string, before: Census, after: Census): boolean {
    const lines = differences(before, after)
    if (lines.length > 0) this.#problems.push(`The census ${when} differs:`, ...lines.map((line) => `  ${line}`))
    return lines.length === 0
  }
}

function equal(one: Census, other: Census): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** Lines of the form "- kind: something that is missing now" or "+ kind: something that is new". */
function differences(before: Census, after: Census): string[] {
  return Object.entries(before).flatMap(([key, value]) => {
    const [then, now] = [value, Object.entries(after).find(([name]) => name === key)?.[1]].map((each) =>
      typeof each === "string" ? each.split("\n") : (each ?? []),
    )
    return [
      ...(then ?? []).filter((line: string) => !now?.includes(line)).map((line: string) => `- ${key}: ${line}`),
      ...(now ?? []).filter((line: string) => !then?.includes(line)).map((line: string) => `+ ${key}: ${line}`),
    ]
  })
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // The process has already ended.
  }
}

function tail(output: string): string {
  return `Its output ends with:\n${output
    .trim()
    .split("\n")
    .slice(-15)
    .map((line) => `    ${line}`)
    .join("\n")}`
}

function disposable(closing: { close(): void }): Disposable {
  return { [Symbol.dispose]: () => closing.close() }
}

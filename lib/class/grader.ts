import { fork, type ChildProcess } from "node:child_process"
import { rmSync, statSync, readFileSync } from "node:fs"
import { stripVTControlCharacters } from "node:util"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { isHostTarget } from "../machines/host/target.ts"
import type { RunEvent } from "../report/events.ts"
import { wasGraded } from "../report/points.ts"
import { runResult, type RunResult } from "../report/result.ts"
import { plain } from "./plain.ts"
import type { Outcome } from "./row.ts"

/** What a grader process is told, as JSON in its first argument. */
export interface Task {
  /** The folder with the start scripts, or the running host as `byhand grade` takes it. */
  readonly subject: string
  readonly student: string
  /** The student whose own values the cluster must have; without it, a student may choose all of them. */
  readonly for?: string
  /** The lessons to grade; empty for all. */
  readonly lessons: readonly string[]
  readonly standIn: boolean
  /** The file to which the result is written as JSON. */
  readonly result: string
}

/** What a grader process tells: what happens in its run, or why the host that it grades cannot be looked at. */
export type GraderMessage = RunEvent | { readonly type: "refused"; readonly reason: string }

/** How far the grading of a student has come. */
export interface Position {
  /** What the grader looks at, such as "etcd"; undefined before the first lesson. */
  readonly topic: string | undefined
  /** The lesson and the outcome, such as "01 put says OK"; empty before the first one. */
  readonly outcome: string
  readonly passed: number
  readonly failed: number
}

/** A grader process that runs. */
export interface Grader {
  /** What became of the student. It never rejects. */
  readonly outcome: Promise<Outcome>
  /** The end of what the grader printed. */
  readonly log: () => string
  /** Kills the process and all that belong to it. Its machine ends with it. */
  readonly kill: () => void
}

/** The last bytes of a grader's output that are kept. */
const LOG = 64 * 1024
/** The largest result that is read (bytes). */
const LARGEST = 32 * 2 ** 20
/** Milliseconds after a grader's end for the rest of its output. */
const REST = 1_000

/** Settings of the run of a class that must not reach the run of a student, or would make all write the same file. */
const NOT_INHERITED = [
  "SUBJECT",
  "BYHAND_SUBJECT",
  "BYHAND_HOST",
  "BYHAND_RESULT",
  "BYHAND_FORMAT",
  "BYHAND_STUDENT",
  "BYHAND_FOR",
  "BYHAND_RUN",
  "BYHAND_KEEP",
  "BYHAND_SABOTAGE",
  "GITHUB_ACTIONS",
  "GITHUB_STEP_SUMMARY",
]

/**
 * Grades a student in an own process group, so that everything of it can be killed.
 * @param program the module of the grader
 * @param limit seconds after which it is killed
 * @param tell is called when the position changes
 */
export function startGrader(
  program: string,
  task: Task,
  limit: number,
  environment: NodeJS.ProcessEnv,
  tell: (position: Position) => void,
): Grader {
  rmSync(task.result, { force: true })
  const child = fork(program, [JSON.stringify(task)], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: {
      ...Object.fromEntries(Object.entries({ ...process.env, ...environment }).filter(([name]) => isInherited(name))),
      NO_COLOR: "1",
    },
  })
  let position: Position = { topic: undefined, outcome: "", passed: 0, failed: 0 }
  let refusal: string | undefined
  child.on("message", (message: GraderMessage) => {
    if (message.type === "refused") refusal = plain(message.reason).replace(/\.$/, "")
    else tell((position = after(position, message)))
  })
  const log = tailOf(child)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    endOf(child)
  }, limit * 1000)
  const outcome = ended(child).then((end): Outcome => {
    clearTimeout(timer)
    endOf(child) // What the grader has started must not stay.
    const place = where(position, isHostTarget(task.subject))
    if (isLate) return { ...ungraded(`no answer after ${limit} s ${place}`, false), after: limit }
    if (refusal !== undefined) return ungraded(refusal, true)
    return outcomeOf(task.result, end, place)
  })
  return { outcome, log: () => log(), kill: () => endOf(child) }
}

function isInherited(name: string): boolean {
  return !NOT_INHERITED.includes(name)
}

function after(position: Position, event: RunEvent): Position {
  if (event.type === "lesson started") return { ...position, topic: topicOf(event.lesson), outcome: event.lesson }
  if (event.type === "outcome started")
    return { ...position, topic: topicOf(event.lesson), outcome: `${event.lesson} ${event.title}` }
  if (event.type !== "outcome ended") return position
  const { verdict } = event.result
  return {
    ...position,
    passed: position.passed + Number(verdict === "passed"),
    failed: position.failed + Number(verdict === "failed"),
  }
}

function topicOf(id: string): string | undefined {
  return lessons.find((lesson) => lessonId(lesson) === id)?.row.topic
}

/** Where it was, as the end of a sentence. */
function where({ topic, outcome, passed }: Position, isHost: boolean): string {
  if (topic === undefined) return isHost ? "while logging in to the host" : "while its machine was prepared"
  const before = passed === 0 ? "" : `; ${passed} ${passed === 1 ? "outcome" : "outcomes"} passed before`
  return `while looking at ${topic} (${outcome})${before}`
}

/** How a process ended, in words. */
function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`))
    child.once("exit", (status, signal) => {
      const text = signal === null ? `exited with ${status}` : `was killed by ${signal}`
      const rest = setTimeout(() => resolve(text), REST)
      child.once("close", () => {
        clearTimeout(rest)
        resolve(text)
      })
    })
  })
}

/**
 * Ends a process group and what belongs to it. The supervisor of a machine is in it too, and must live: it ignores
 * SIGHUP, and ends the machine and removes its traces when the process that has started it has ended.
 * @param leader the pid of the first process, which cannot ignore this
 */
export function endGroup(leader: number): void {
  for (const [pid, signal] of [
    [-leader, "SIGHUP"],
    [leader, "SIGKILL"],
  ] as const)
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended.
    }
}

function endOf({ pid }: ChildProcess): void {
  if (pid !== undefined) endGroup(pid)
}

/** Collects the end of what a process prints. A process that prints for ever needs no more memory. */
function tailOf({ stdout, stderr }: ChildProcess): () => string {
  let tail = Buffer.alloc(0)
  for (const stream of [stdout, stderr])
    stream?.on("data", (part: Buffer) => {
      tail = Buffer.concat([tail, part])
      if (tail.length > 2 * LOG) tail = Buffer.from(tail.subarray(-LOG))
    })
  return () => stripVTControlCharacters(tail.subarray(-LOG).toString())
}

/** Only the file counts that the grader has written, not what was printed: a script can print anything. */
function outcomeOf(file: string, end: string, place: string): Outcome {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size === 0) return ungraded(`the grader ${end} ${place}`, true)
  if (size > LARGEST) return ungraded(`the result has more than ${LARGEST / 2 ** 20} MiB`, false)
  const result = readResult(file)
  if (result === undefined) return ungraded("the result of the grader cannot be read", true)
  if (wasGraded(result)) return { kind: "graded", result }
  const reason =
    result.errors[0] ?? result.lessons.flatMap(({ tests }) => tests).find(({ reason: why }) => why !== null)?.reason
  return ungraded(`nothing could be graded: ${reason?.split("\n")[0] ?? "the reason is in the log"}`, true)
}

function readResult(file: string): RunResult | undefined {
  try {
    return runResult.parse(JSON.parse(readFileSync(file, "utf8")))
  } catch {
    return undefined
  }
}

/** The outcome of a student without a grade, for another reason than the limit. */
export function ungraded(reason: string, isOurs: boolean): Extract<Outcome, { kind: "ungraded" }> {
  return { kind: "ungraded", reason, after: null, isOurs }
}

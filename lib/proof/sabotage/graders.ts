import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { packageRoot } from "../../base/settings.ts"
import type { Answer, Task } from "./tasks.ts"

/**
 * The number of tasks after which a grader is replaced. vitest leaves a few listeners in the process after each task.
 */
const TASKS_OF_A_PROCESS = 20

/** The number of characters at the end of a dead grader's output that the error message contains. */
const LAST_WORDS = 2_000

/** One grader process. It works on one task at a time. It is replaced when it dies or hangs. */
export class Grader implements Disposable {
  readonly #environment: NodeJS.ProcessEnv
  readonly #limit: number
  #process: ChildProcess | undefined
  #tasks = 0

  /**
   * @param limit the longest time for a task, in milliseconds. A grader that takes longer is killed, and its machine
   *   ends too.
   */
  constructor(environment: NodeJS.ProcessEnv, limit: number) {
    this.#environment = environment
    this.#limit = limit
  }

  /** @throws Error if the grader dies or takes too long; the message contains the end of its output */
  async ask(task: Task): Promise<Answer> {
    if (this.#tasks >= TASKS_OF_A_PROCESS) this[Symbol.dispose]()
    this.#process ??= fork(join(packageRoot, "dist", "proof", "sabotage", "grader.js"), {
      env: { ...process.env, ...this.#environment },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    })
    this.#tasks++
    try {
      return await this.#answerOf(this.#process, task)
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  async #answerOf(grader: ChildProcess, task: Task): Promise<Answer> {
    let words = ""
    const listen = (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-LAST_WORDS)
    }
    const outputs = [grader.stdout, grader.stderr]
    for (const output of outputs) output?.on("data", listen)
    const over = new AbortController()
    try {
      grader.send(task)
      const [answer] = await Promise.race([
        // The process runs grader.ts, which sends nothing else.
        once(grader, "message", { signal: over.signal }) as Promise<[Answer]>,
        once(grader, "exit", { signal: over.signal }).then(() => "ended" as const),
        sleep(this.#limit, `did not finish in ${this.#limit / 1000} s`, { signal: over.signal }),
      ]).then((first) => {
        if (typeof first !== "string") return first
        throw new Error(`The grader ${first}. The end of its output: ${words.trim() || "none"}`)
      })
      return answer
    } finally {
      over.abort()
      for (const output of outputs) output?.off("data", listen)
    }
  }

  [Symbol.dispose](): void {
    // The grader's machines end too, because a machine's supervisor detects that its owner has died.
    this.#process?.kill("SIGKILL")
    this.#process = undefined
    this.#tasks = 0
  }
}

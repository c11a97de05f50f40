import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { join, resolve } from "node:path"
import { deferred } from "../base/deferred.ts"
import { checkExcept } from "../curriculum/except.ts"
import { admit, makeRunsDir } from "../machines/admission.ts"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { LIMITS_OF_SCRIPTS } from "../machines/limits.ts"
import { writePurpose } from "../machines/purpose.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import { nameOf, settingsOf, type CommonOptions } from "./options.ts"
import { findRun, idOf, vacate } from "./runs.ts"
import { SavedFiles } from "./saved-files.ts"
import { prepared } from "./prepared.ts"
import type { Go, Graded, Told } from "./watch-grader.ts"

/** The name of the machine, if --name gives no other; a second one at the same time is called watch-2. */
const NAME = "watch"
/**
 * How long an outcome is checked before the next grader is started beside it (milliseconds). It probably waits for
 * something, and leaves the processor to the next grader.
 */
const PROBABLY_WAITING = 5_000
const INTERRUPTED = 130
/** Erases the screen and its scroll-back, so that no old verdict can be taken for the new one. */
const CLEAR = "\u001b[2J\u001b[3J\u001b[H"

/**
 * Grades the scripts of a folder on one machine, from the first lesson to the first that does not pass, and again each
 * time a file is saved. Only the components of changed scripts are restarted; from lesson 08 on, scripts change what
 * earlier ones have started, and all begin anew. A save cancels a running attempt.
 * @returns the exit status, after an interrupt (Ctrl-C)
 */
export async function watch(given: string, options: CommonOptions): Promise<number> {
  const settings = settingsOf(options)
  const path = resolve(given)
  using files = await SavedFiles.in(path, (message) => process.stderr.write(`${message}\n`))
  const name = await freeName(settings, options)
  const id = idOf(name)
  checkExcept(settings.except)
  await admit(settings, id)
  makeRunsDir(settings)
  await vacate(settings, name)
  const { provider, artifacts } = await prepared(settings)
  const { machine, folder } = await provider.start({
    name: "byhand",
    id,
    binds: artifacts.binds,
    limits: LIMITS_OF_SCRIPTS,
  })
  await writePurpose(folder, { command: "watch", subject: path })
  const interrupted = once(process, "SIGINT")
  const graders = new Graders({
    BYHAND_RUN: id,
    BYHAND_SUBJECT: path,
    BYHAND_MACHINE: provider.kind,
    BYHAND_STAND_IN: "0", // It stops at the first lesson that does not pass.
  })
  try {
    await Promise.race([gradeForever(files, graders), interrupted])
    return INTERRUPTED
  } finally {
    graders.end()
    await machine.close()
  }
}

async function freeName(settings: Settings, options: CommonOptions): Promise<string> {
  if (options.name !== undefined) return nameOf(options)
  for (let count = 1; ; count++) {
    const name = count === 1 ? NAME : `${NAME}-${count}`
    if ((await findRun(settings, name)) === undefined) return name
  }
}

async function gradeForever(files: SavedFiles, graders: Graders): Promise<never> {
  const never = new AbortController()
  let first = lessons[0]?.number ?? 1
  for (;;) {
    const over = new AbortController()
    const saving = files.next(over.signal)
    const attempt = graders.grade(first)
    const ended = await Promise.race([attempt.graded, saving])
    let saved = ended !== undefined && "files" in ended ? ended : undefined
    if (saved !== undefined) {
      attempt.cancel()
    } else {
      over.abort()
      const failed = ended !== undefined && "type" in ended ? ended.failed : first
      graders.prepare()
      process.stdout.write(`\n${sentenceOn(failed)}. Save a file to try again; press Ctrl-C to stop.\n`)
      first = failed ?? Infinity
      // A change that came at the same moment as the verdict is not lost: next() reports it again.
      saved = (await saving) ?? (await files.next(never.signal))
    }
    if (saved === undefined) continue // It is not: the wait has no end.
    // If a script of an earlier lesson has changed, that lesson is graded again first.
    first = Math.min(first, saved.earliest)
    process.stdout.write(`${process.stdout.isTTY ? CLEAR : "\n"}Saved: ${saved.files.join(", ")}\n`)
  }
}

function sentenceOn(failed: number | null): string {
  return failed === null ? "Every lesson passes" : `Lesson ${lessonId({ number: failed })} does not pass`
}

/** Grader processes (watch-grader.ts). Each grades once; the next one is started before it is needed. */
class Graders {
  readonly #environment: Readonly<Record<string, string>>
  readonly #running = new Set<ChildProcess>()
  #next: ChildProcess | undefined

  constructor(environment: Readonly<Record<string, string>>) {
    this.#environment = environment
  }

  /** Starts the next grader, which loads vitest and waits. */
  prepare(): void {
    if (this.#next !== undefined) return
    const child = fork(join(packageRoot, "dist", "cli", "watch-grader.js"), {
      env: { ...process.env, ...this.#environment },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    })
    this.#next = child
    this.#running.add(child)
    child.once("exit", () => {
      this.#running.delete(child)
      if (this.#next === child) this.#next = undefined
    })
  }

  /** Grades from a lesson on. `graded` resolves with undefined if the grader has ended without a result. */
  grade(first: number): { graded: Promise<Graded | undefined>; cancel: () => void } {
    this.prepare()
    const child = this.#next
    this.#next = undefined
    child?.send({ first } satisfies Go, () => undefined) // If it has ended, its exit tells.
    const waiting = setTimeout(() => this.prepare(), PROBABLY_WAITING)
    const { promise, resolve: done } = deferred<Graded | undefined>()
    if (child === undefined) done(undefined)
    child?.once("exit", () => done(undefined))
    child?.on("message", (message: Told) => {
      if (message.type === "graded") done(message)
      else waiting.refresh()
    })
    return {
      graded: promise.finally(() => clearTimeout(waiting)),
      cancel: () => {
        clearTimeout(waiting)
        child?.kill("SIGKILL") // vitest's worker ends when its parent has ended.
      },
    }
  }

  end(): void {
    for (const child of this.#running) child.kill("SIGKILL")
  }
}

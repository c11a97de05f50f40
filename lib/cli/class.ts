import { existsSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join, resolve } from "node:path"
import { UsageError } from "../base/errors.ts"
import { isLive, terminalProgress } from "../base/progress-terminal.ts"
import { shard } from "../base/shard.ts"
import { packageRoot } from "../base/settings.ts"
import { ownVersion } from "../base/version.ts"
import { wholeNumber } from "../base/whole-number.ts"
import { lineOf } from "../class/book.ts"
import { partOf, readClass } from "../class/class-file.ts"
import { classScreen } from "../class/class-screen.ts"
import { compareHosts, merged, sightingsIn, sightingsOfBook } from "../class/identifiers.ts"
import type { Obtained } from "../class/obtain.ts"
import { gradeClass } from "../class/run.ts"
import { compareClass, readTexts, type Reading } from "../class/similar.ts"
import { BOOK, Store } from "../class/store.ts"
import { admit, makeRunsDir } from "../machines/admission.ts"
import { removeOldLogins } from "../machines/host/login.ts"
import { prepareForHost } from "../report/preparation.ts"
import { standardOutput } from "../report/terminal.ts"
import { emptyOutputs, outputsOf, statusOf, writeOutputs, type OutputOptions } from "./class-output.ts"
import { settingsOf } from "./options.ts"
import { prepared } from "./prepared.ts"

/** The options of class, besides those that every command has. */
export interface ClassOptions extends OutputOptions {
  readonly out?: string
  readonly inventory?: string
  readonly parallel?: string
  readonly limit?: string
  readonly resume?: boolean
  /** Whether scripts and keys are compared across the class. */
  readonly similar?: boolean
  /** JSON grade books of earlier runs, whose hosts are compared too. */
  readonly earlier?: readonly string[]
  readonly standIn?: boolean
  /** The part of the class that is graded, such as 2/6. */
  readonly shard?: string
}

const DEFAULT_OUT = "byhand-class"
/** Seconds that the grading of one student may take. Classroom platforms end a job after 15 minutes, too. */
const DEFAULT_LIMIT = 900
/** The exit status after a signal: 128 and its number. */
const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/**
 * Grades a class, and prints the grade book.
 * @param file class.yaml; undefined if an inventory lists the students
 * @returns the exit status: 0 if each student has a grade, 1 if one has none; after a signal 128 and its number
 * @throws UsageError
 */
export async function gradeStudents(file: string | undefined, options: ClassOptions): Promise<number> {
  if (file === undefined && options.inventory === undefined)
    throw new UsageError(
      "byhand class needs a file that lists the students.",
      "Write: npx byhand class class.yaml, or npx byhand class --inventory students.csv",
    )
  const parallel =
    options.parallel === undefined
      ? Math.max(1, Math.floor(availableParallelism() / 2))
      : wholeNumber("--parallel", 1, 64)(options.parallel)
  const limit = options.limit === undefined ? DEFAULT_LIMIT : wholeNumber("--limit", 1, 86_400)(options.limit)
  const settings = settingsOf(options)
  const outputs = outputsOf(options)
  const whole = readClass(file, options.inventory)
  const graded = options.shard === undefined ? whole : partOf(whole, shard(options.shard))
  const out = resolve(options.out ?? DEFAULT_OUT)
  const earlier = [...[join(out, BOOK)].filter((book) => existsSync(book)), ...(options.earlier ?? [])].flatMap(
    sightingsOfBook,
  )
  emptyOutputs(outputs)
  await admit(settings, "byhand-123456")
  const store = Store.open(out, options.resume === true)
  let hasEnded = false
  try {
    makeRunsDir(settings)
    // The programs are prepared once, so that a missing one is reported once. Hosts need no machine here.
    const needsMachine = graded.students.some(({ source }) => source.kind !== "host")
    const kind = needsMachine ? (await prepared(settings)).provider.kind : undefined
    if (graded.students.some(({ source }) => source.kind === "host")) await prepareForHost(settings, terminalProgress())
    const stop = new AbortController()
    let status: number | undefined
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => {
        status ??= STATUS[signal]
        stop.abort()
      })
    const isCompared = options.similar === true
    const readings = new Map<string, Reading>()
    const rows = await (async () => {
      const screen = standardOutput()
      const isQuiet = options.json === true
      using live = classScreen(graded, isQuiet ? { ...screen, write: () => undefined } : screen, isLive(screen))
      return await gradeClass(
        graded,
        store,
        {
          program: join(packageRoot, "dist", "cli", "class-grader.js"),
          parallel,
          limit,
          standIn: options.standIn === true,
          isResumed: options.resume === true,
          environment: { BYHAND_KUBERNETES: settings.kubernetes, ...(kind && { BYHAND_MACHINE: kind }) },
          version: ownVersion(),
          // What grading obtains is not obtained again to be compared.
          ...(isCompared && {
            look: async (id: string, obtaining: Promise<Obtained>) => {
              readings.set(id, await readTexts(obtaining))
            },
          }),
        },
        live.tell,
        stop.signal,
      )
    })()
    removeOldLogins(settings) // A grader that was killed could not remove its folder.
    const seen = sightingsIn(rows)
    const similar = isCompared
      ? await compareClass(graded.students, store, readings, compareHosts(seen, earlier), stop.signal)
      : undefined
    if (status !== undefined) {
      process.stderr.write(
        `Interrupted: ${rows.length} of ${graded.students.length} students have finished. ` +
          "--resume goes on with the others.\n",
      )
      return status
    }
    hasEnded = true
    const lines = graded.students.flatMap((student) => {
      const row = rows.find(({ id }) => id === student.id)
      return row === undefined ? [] : [lineOf(graded, student, row)]
    })
    const book = writeOutputs(outputs, {
      head: graded,
      lines,
      similar,
      seen: merged([...seen, ...earlier]),
    })
    store.keepBook(book)
    return statusOf(lines)
  } finally {
    store.close(hasEnded)
  }
}

import { randomBytes } from "node:crypto"
import { testFileOf } from "../curriculum/lessons.ts"
import type { LessonSpec } from "../curriculum/lesson-spec.ts"
import type { Settings } from "../base/settings.ts"
import { admit, makeRunsDir } from "../machines/admission.ts"
import { LIMITS_OF_SCRIPTS } from "../machines/limits.ts"
import type { Machine } from "../machines/machine.ts"
import type { Attached } from "../machines/provider.ts"
import { writePurpose } from "../machines/purpose.ts"
import type { Reader } from "../report/events.ts"
import type { RunResult } from "../report/result.ts"
import { prepared } from "./prepared.ts"
import { idOf } from "./runs.ts"

/** A machine on which a learner's folder was graded. It ends when the function that uses it returns. */
export interface GradedMachine {
  readonly machine: Machine
  readonly result: RunResult
  readonly enter: Attached["enter"]
}

/** What is graded, and how. */
export interface Grading {
  /** The learner's folder, an absolute path. */
  readonly folder: string
  readonly settings: Settings
  /** Those to grade, in order. */
  readonly lessons: readonly LessonSpec[]
  /** Whether standard output gets no lines about the run, because a program reads it. */
  readonly isQuiet: boolean
  /** Makes a reader of the run's events, when the machine is there. */
  readonly readerFor?: (machine: Machine) => Reader
}

/**
 * Grades a learner's folder on a new machine, and lets a function look at the machine before it ends. The machine belongs
 * to this process, so it ends with this process, however that ends.
 * @returns what the function returns
 */
export async function withGradedMachine<T>(
  { folder, settings, lessons, isQuiet, readerFor }: Grading,
  use: (graded: GradedMachine) => Promise<T>,
): Promise<T> {
  const id = idOf(`graded-${randomBytes(3).toString("hex")}`)
  await admit(settings, id)
  makeRunsDir(settings)
  const { provider, artifacts } = await prepared(settings)
  const { machine, folder: runFolder } = await provider.start({
    name: "byhand",
    id,
    binds: artifacts.binds,
    limits: LIMITS_OF_SCRIPTS,
  })
  try {
    await writePurpose(runFolder, { command: "grade", subject: folder })
    Object.assign(process.env, {
      BYHAND_RUN: id,
      BYHAND_SUBJECT: folder,
      BYHAND_MACHINE: provider.kind,
      BYHAND_KUBERNETES: settings.kubernetes,
      // A submission is the learner's own work.
      BYHAND_STAND_IN: "0",
    })
    const read = readerFor?.(machine)
    let result: RunResult | undefined
    const { runLessons } = await import("../report/run-lessons.ts")
    const reader: Reader = (event) => {
      read?.(event)
      if (event.type === "run ended") result = event.result
    }
    await runLessons(lessons.map(testFileOf), isQuiet ? { reader } : { alongside: reader })
    process.exitCode = 0 // vitest has set it by the verdicts.
    const attached = await provider.attach(id)
    if (result === undefined || attached === undefined) throw new Error("The run has ended without a result.")
    return await use({ machine, result, enter: attached.enter })
  } finally {
    await machine.close()
  }
}

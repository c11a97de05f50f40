import { statSync } from "node:fs"
import { join, resolve } from "node:path"
import { UsageError } from "../base/errors.ts"
import { packageRoot } from "../base/settings.ts"
import { isCalled, lessonId, lessons as all, testFileOf } from "../curriculum/lessons.ts"
import { emptyResultFile } from "../report/result-file.ts"
import { wasGraded } from "../report/points.ts"
import type { Reader } from "../report/events.ts"
import type { RunResult } from "../report/result.ts"
import { targetsOf, type Target } from "../report/targets.ts"
import type { ByhandOptions } from "../report/vitest-plugin.ts"
import { isHostTarget, parseHostTarget } from "../machines/host/target.ts"
import { readFolder } from "../subjects/folder.ts"
import type { Settings } from "../base/settings.ts"
import { nameOf, settingsOf, type CommonOptions } from "./options.ts"
import { addressed, findRun, idOf, vacate } from "./runs.ts"

/** The name of a machine that is kept, if --name does not give one. */
const KEPT = "graded"

/** The options of grade, besides those that every command has. */
export interface GradeOptions extends Omit<CommonOptions, "json"> {
  readonly strict?: boolean
  readonly except?: string
  readonly see?: boolean
  /** Whether our own component takes the place of a learner's that does not start. */
  readonly standIn?: boolean
  /** Whether the machine keeps running after the run. */
  readonly keep?: boolean
  /** true: print the result as JSON instead of lines for people. A file's name: also write the result to that file. */
  readonly json?: boolean | string
  /** Formats in which the result is written, each NAME=FILE, or NAME for standard output. */
  readonly format?: readonly string[]
  /** How grade books name the student. */
  readonly student?: string
  /** The student whose own values the cluster must have. */
  readonly for?: string
  /** What may be done to a running host. */
  readonly allow?: string
}

/**
 * Runs the lessons as `npx vitest run` does, on a learner's folder if one is named. The test process gets the
 * settings in its environment. Sets the exit status: 0 if everything passed; with a format whose platform takes another
 * status for an error of the grader, 0 if there is a grade.
 * @param targets a folder of start scripts or a running host, then numbers of lessons; both are optional
 * @param tell gets the events of the run
 * @param onRefused gets the reason if the host cannot be reached; then this process exits
 * @throws UsageError for a lesson that does not exist, or a folder that cannot be graded
 */
export async function grade(
  targets: readonly string[],
  options: GradeOptions,
  tell?: Reader,
  onRefused?: (reason: string) => Promise<void>,
): Promise<void> {
  // A number after --json is a lesson, not a file's name.
  const numbered = typeof options.json === "string" && /^\d+$/.test(options.json)
  const words = [...targets, ...(numbered ? [String(options.json)] : [])]
  const json = numbered ? true : options.json
  const [first = ""] = words
  const isHost = isHostTarget(first)
  if (isHost) parseHostTarget(first) // A wrong address is refused here, before anything runs.
  checkAllowed(options.allow, isHost)
  const isFolder =
    first !== "" &&
    !isHost &&
    !/^\d+$/.test(first) &&
    statSync(first, { throwIfNoEntry: false })?.isDirectory() === true
  const lessons = isFolder || isHost ? words.slice(1) : words
  const unknown = lessons.find((lesson) => !all.some(isCalled(lesson)))
  if (unknown !== undefined)
    throw new UsageError(
      `There is no lesson ${unknown === "" ? "without a number" : unknown}${unknown === first && /[^\d.-]/.test(unknown) ? ", and no such folder" : ""}.`,
      `There are ${all.map(lessonId).join(", ")}.`,
    )
  const outputs = targetsOf([...(options.format ?? []), ...(json === true ? ["json"] : [])], "--format")
  const name = nameOf({ ...options, name: options.name ?? KEPT, json: false })
  if (isFolder) process.env["BYHAND_SUBJECT"] = resolve(first)
  if (isHost) process.env["BYHAND_HOST"] = first
  if (options.kubernetes !== undefined) process.env["BYHAND_KUBERNETES"] = options.kubernetes
  if (options.machine !== undefined) process.env["BYHAND_MACHINE"] = options.machine
  if (options.strict === true) process.env["BYHAND_STRICT"] = "1"
  if (options.see === true) process.env["BYHAND_SEE"] = "1"
  if (options.standIn === true) process.env["BYHAND_STAND_IN"] = "1"
  if (options.keep === true) process.env["BYHAND_KEEP"] = idOf(name)
  if (typeof json === "string") process.env["BYHAND_RESULT"] = resolve(json)
  if (outputs.length > 0) process.env["BYHAND_FORMAT"] = outputs.map(asSetting).join(",")
  if (options.student !== undefined) process.env["BYHAND_STUDENT"] = options.student
  if (options.for !== undefined) process.env["BYHAND_FOR"] = options.for
  if (options.except !== undefined) process.env["BYHAND_EXCEPT"] = options.except
  const settings = settingsOf({ ...options, json: false }) // Wrong settings are refused here, before anything runs.
  if (settings.subject !== undefined) await readFolder(settings.subject)
  if (typeof json === "string") emptyResultFile(json, `--json ${json}`)
  for (const { file, given } of outputs) if (file !== undefined) emptyResultFile(file, given)
  if (options.keep === true) await endKept(settings, name)

  const { startVitest } = await import("vitest/node")
  const { BYHAND } = await import("../report/vitest-plugin.ts")
  const filters = all
    .filter((lesson) => lessons.length === 0 || lessons.some((given) => isCalled(given)(lesson)))
    .map(testFileOf)
  let result: RunResult | undefined
  const alongside: ByhandOptions["alongside"] = (event) => {
    tell?.(event)
    if (event.type === "run ended") result = event.result
  }
  await startVitest("test", filters, {
    root: packageRoot,
    config: join(packageRoot, "vitest.config.ts"),
    watch: false,
    run: true,
    // The other loaders write to a folder beside the dependencies, where an ordinary user may have no permission.
    configLoader: "runner",
    reporters: [[BYHAND, { alongside, ...(onRefused && { onRefused }) } satisfies ByhandOptions]],
  })
  if (outputs.some(({ format }) => format.isGradedSuccess))
    process.exitCode = result !== undefined && wasGraded(result) && outputs.every(isWritten) ? 0 : 1
  if (options.keep === true) process.stderr.write(await howToEnter(settings, name))
}

/**
 * Checks what the user allows to be done to a running host.
 * @throws UsageError
 */
function checkAllowed(allow: string | undefined, isHost: boolean): void {
  if (allow === undefined || (isHost && allow === "observe")) return
  if (!isHost) throw new UsageError("--allow is for running hosts.", "Name one: local, or ssh://USER@HOST:PORT.")
  throw new UsageError(
    ["restart", "destroy"].includes(allow)
      ? `--allow ${allow} is not supported yet: a running host is only looked at.`
      : `--allow ${allow} is not known.`,
    "Leave it out, or write --allow observe.",
  )
}

/**
 * A target as an item of BYHAND_FORMAT.
 * @throws UsageError if the file's name has a comma, which separates the items
 */
function asSetting({ format, file = "-", given }: Target): string {
  if (file.includes(",")) throw new UsageError(`${given} names a file with a comma.`, "Choose a path without commas.")
  return `${format.name}=${file}`
}

/** Whether a document is there. Its file was emptied before the run. */
function isWritten({ file }: Target): boolean {
  return file === undefined || statSync(file, { throwIfNoEntry: false })?.size !== 0
}

/**
 * Ends the machine of this name that an earlier run has kept, because only the last one is of use.
 * @throws UsageError if `byhand up` has started it, or if another process uses it
 */
async function endKept(settings: Settings, name: string): Promise<void> {
  const run = await findRun(settings, name)
  if (run?.purpose?.command === "grade" && run.owner === undefined) {
    process.stderr.write(`The machine that the run of ${run.since.toLocaleString("sv")} kept is ended.\n`)
    await run.machine.close()
  } else if (run !== undefined) {
    throw new UsageError(
      `A machine named ${name} is up, and it is not one that a run has kept.`,
      "Choose another name for the machine with --name.",
    )
  }
  await vacate(settings, name)
}

/** The text after a run whose machine is kept. */
async function howToEnter(settings: Settings, name: string): Promise<string> {
  const run = await findRun(settings, name)
  if (run === undefined) return "No machine is kept: none was started, or it has ended during the run.\n"
  return `The machine is kept. To look inside: ${addressed("shell", run)}   To end it: ${addressed("down", run)}\n`
}

import { messageOf } from "../../base/errors.ts"
import { findEngine } from "../../machines/container/engine.ts"
import type { Kind } from "../../machines/provider.ts"
import { chooseProvider } from "../../machines/providers.ts"
import { choosePrivilege, type Privilege } from "../../base/privilege.ts"
import type { Settings } from "../../base/settings.ts"
import type { MachineFeature } from "../../components/spec.ts"
import { checks, type Check } from "./checks.ts"

/**
 * ok; limited: some lessons cannot run; missing: no lesson can run; optional: it is missing, and nothing needs it;
 * unknown: the check had no result.
 */
export type CheckStatus = "ok" | "limited" | "missing" | "optional" | "unknown"

/** The result of a check. */
export interface Examined {
  readonly id: string
  readonly title: string
  readonly verdict: CheckStatus
  /** What was found. */
  readonly found: string
  /** The lessons that need it. */
  readonly lessons: readonly number[]
  /** What to do if the check fails. */
  readonly remedy: string
}

/** A lesson, as far as a host must know it. */
export interface LessonNeeds {
  readonly number: number
  readonly requires: readonly MachineFeature[]
}

/** What a host can run. */
export interface Examination {
  readonly checks: readonly Examined[]
  readonly summary: string
  /** Whether the lessons that require nothing special of the machine can run in full. */
  readonly canBegin: boolean
}

/**
 * Examines this host. Changes nothing and asks for no password. Tries what can be tried instead of trusting what is
 * configured.
 * @param lessons all lessons, in order
 */
export async function examine(settings: Settings, lessons: readonly LessonNeeds[]): Promise<Examination> {
  // The requested privilege is not available.
  const privilege = await choosePrivilege(settings.privilege, false).catch((): Privilege => "user")
  const engine = findEngine()
  engine.catch(() => undefined) // Each check that uses the engine reports this error.
  const kind = await chooseProvider(settings).then(
    (provider) => provider.kind,
    (): Kind => "sandbox", // No kind is available: report what a sandbox lacks.
  )
  const host = { settings, privilege, engine }
  const examined = await Promise.all(
    checks
      .filter(({ only }) => only === undefined || only === kind)
      .map(async (check): Promise<Examined> => {
        const { ok, found } = await check
          .look(host)
          .catch((error: unknown) => ({ ok: undefined, found: messageOf(error).split("\n")[0] ?? "" }))
        return {
          id: check.id,
          title: check.title,
          verdict: verdictOf(check, ok),
          found,
          lessons: numbersOf(lessons.filter(isAffectedBy(check))),
          remedy: check.remedy,
        }
      }),
  )
  const unfit = examined
    .filter(({ verdict }) => verdict === "limited" || verdict === "missing")
    .flatMap(({ lessons }) => lessons)
  const all = numbersOf(lessons)
  const can = all.filter((lesson) => !unfit.includes(lesson))
  const simple = numbersOf(lessons.filter(({ requires }) => requires.length === 0))
  return {
    checks: examined,
    summary: summarize(can, all),
    canBegin: simple.every((lesson) => can.includes(lesson)),
  }
}

function numbersOf(lessons: readonly LessonNeeds[]): number[] {
  return lessons.map(({ number }) => number)
}

/** Whether a lesson cannot run in full if a check fails. */
function isAffectedBy({ neededFor }: Check): (lesson: LessonNeeds) => boolean {
  return ({ requires }) => neededFor === "every lesson" || (neededFor !== "no lesson" && requires.includes(neededFor))
}

function verdictOf({ neededFor, isOptional }: Check, ok: boolean | undefined): CheckStatus {
  if (ok === undefined) return "unknown"
  if (ok) return "ok"
  if (isOptional === true) return "optional"
  return neededFor === "every lesson" ? "missing" : "limited"
}

function summarize(can: readonly number[], all: readonly number[]): string {
  const names = (lessons: readonly number[]) => lessons.map((lesson) => String(lesson).padStart(2, "0")).join(", ")
  if (can.length === all.length) return "This host can run every lesson."
  if (can.length === 0) return "This host can run no lesson yet."
  return `This host can run lessons ${names(can)} in full; ${names(all.filter((lesson) => !can.includes(lesson)))} it cannot check.`
}

import { messageOf } from "../../base/errors.ts"
import { findEngine } from "../../machines/container/engine.ts"
import type { Kind } from "../../machines/provider.ts"
import { chooseProvider } from "../../machines/providers.ts"
import { choosePrivilege, type Privilege } from "../../base/privilege.ts"
import type { Settings } from "../../base/settings.ts"
import { ALL_LESSONS, checks, WITHOUT_ROOT, type Check } from "./checks.ts"

/** ok; limited: some lessons cannot run; missing: none can; unknown: it could not be found out. */
export type Verdict = "ok" | "limited" | "missing" | "unknown"

/** A check that was made. */
export interface Examined {
  readonly id: string
  readonly title: string
  readonly verdict: Verdict
  /** What was found. */
  readonly found: string
  /** The lessons that need it. */
  readonly lessons: readonly number[]
  /** What to do where it is not as it should be. */
  readonly remedy: string
}

/** What a host can run. */
export interface Examination {
  readonly checks: readonly Examined[]
  readonly summary: string
  /** Whether lessons 01 to 04 can run in full. */
  readonly canBegin: boolean
}

/** Looks at this host; changes nothing, asks for no password and takes nothing of what is found for granted where it can be tried. */
export async function examine(settings: Settings): Promise<Examination> {
  const privilege = await choosePrivilege(settings.privilege, false).catch((): Privilege => "user") // What is asked for is not to be had.
  const engine = findEngine()
  engine.catch(() => undefined) // Whoever asks for it is told.
  const kind = await chooseProvider(settings).then(
    (provider) => provider.kind,
    (): Kind => "sandbox", // Neither kind is available: tell what a sandbox lacks.
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
          lessons: check.lessons,
          remedy: check.remedy,
        }
      }),
  )
  const unfit = examined
    .filter(({ verdict }) => verdict === "limited" || verdict === "missing")
    .flatMap(({ lessons }) => lessons)
  const can = ALL_LESSONS.filter((lesson) => !unfit.includes(lesson))
  return { checks: examined, summary: summarize(can), canBegin: WITHOUT_ROOT.every((lesson) => can.includes(lesson)) }
}

function verdictOf({ lessons }: Check, ok: boolean | undefined): Verdict {
  if (ok === undefined) return "unknown"
  if (ok) return "ok"
  return lessons.length === ALL_LESSONS.length ? "missing" : "limited"
}

function summarize(can: readonly number[]): string {
  const names = (lessons: readonly number[]) => lessons.map((lesson) => String(lesson).padStart(2, "0")).join(", ")
  if (can.length === ALL_LESSONS.length) return "This host can run every lesson."
  if (can.length === 0) return "This host can run no lesson yet."
  return `This host can run lessons ${names(can)} in full; ${names(ALL_LESSONS.filter((lesson) => !can.includes(lesson)))} it cannot check.`
}

import type { TestCase } from "vitest/node"
import type { Artifacts } from "../clusters/artifacts.ts"
import { isExcepted } from "../curriculum/except.ts"
import type { Kind } from "../machines/provider.ts"
import type { Settings } from "../base/settings.ts"
import type { Card } from "./card.ts"

declare module "vitest" {
  interface TaskMeta {
    /** What to type to see the same. */
    see?: string
    /** A line of what was seen. */
    evidence?: string
    /** Why it failed, and what to look at next. */
    card?: Card
  }
  interface ProvidedContext {
    /** Artifacts and the kind of machine that the run has chosen, or why they could not be prepared. */
    preparation: { artifacts: Artifacts; machine: Kind } | { failed: string }
  }
}

/** What became of one outcome. */
export type Verdict = "passed" | "failed" | "blocked" | "cannot check here" | "not chosen"

/** The number of the lesson that a test belongs to, two digits. */
export function lessonOf(test: TestCase): string {
  return test.parent.type === "suite" ? test.parent.name.slice(0, 2) : ""
}

/** The verdict on a test, and the reason for it where it has one. */
export function verdictOf(test: TestCase): { verdict: Verdict; reason: string | undefined } {
  const result = test.result()
  if (result.state === "passed") return { verdict: "passed", reason: undefined }
  if (result.state === "failed") return { verdict: "failed", reason: result.errors[0]?.message.split("\n")[0] }
  const note = result.state === "skipped" ? result.note : undefined
  if (note?.startsWith("blocked")) return { verdict: "blocked", reason: note }
  if (note?.startsWith("cannot check here")) return { verdict: "cannot check here", reason: note }
  return { verdict: "not chosen", reason: note }
}

/** Whether a verdict must make the run fail. Strict counts what cannot be checked too, but for what it is told to except. */
export function isFailure(
  verdict: Verdict,
  test: { lesson: string; title: string },
  { strict, except }: Pick<Settings, "strict" | "except">,
): boolean {
  if (verdict === "failed" || verdict === "blocked") return true
  return verdict === "cannot check here" && strict && !isExcepted(test, except)
}

import type { TestModule } from "vitest/node"
import { z } from "zod"
import type { Settings } from "../base/settings.ts"
import { isFailure, lessonOf, verdictOf } from "./verdict.ts"

const verdict = z.enum(["passed", "failed", "blocked", "cannot check here", "not chosen"])

const test = z.object({
  id: z
    .string()
    .describe("lesson and title in small letters and hyphens; stays the same for as long as the title does"),
  title: z.string(),
  verdict,
  counts: z.boolean().describe("whether it makes the run fail"),
  reason: z.string().nullable().describe("why it did not pass, in a line"),
  finding: z
    .string()
    .nullable()
    .describe("id of the finding that explains a failure; null where it passed or nothing known fits"),
  evidence: z
    .string()
    .nullable()
    .describe("what was seen: on success what proves the outcome, on failure what gave the cause away"),
  see: z.string().nullable().describe("what to type on the machine to see the same"),
})

const lesson = z.object({
  id: z.string().describe("two digits"),
  title: z.string(),
  verdict: verdict.describe("that of its worst test"),
  tests: z.array(test),
})

/** What a run found, for programs. */
export const gradeDocument = z.object({
  kubernetes: z.string().describe("the version that was run, such as 1.37.2"),
  subject: z.string().nullable().describe("the folder of start scripts; null for the project's own cluster"),
  passed: z.number().int(),
  failed: z.number().int(),
  skipped: z.number().int(),
  errors: z.array(z.string()).describe("what kept a lesson's file from being read"),
  lessons: z.array(lesson),
})

export type GradeDocument = z.infer<typeof gradeDocument>

/** The same for editors and validators. */
export function gradeSchema(): object {
  return z.toJSONSchema(gradeDocument)
}

const WORST = ["failed", "blocked", "cannot check here", "passed", "not chosen"] as const

/** What became of each lesson and test. */
export function documentOf(modules: readonly TestModule[], settings: Settings): GradeDocument {
  const lessons = modules.flatMap((module) =>
    [...module.children.suites()].map((suite) => {
      const tests = [...suite.children.allTests()].map((one) => {
        const { verdict: found, reason } = verdictOf(one)
        const { evidence, card, see } = one.meta()
        return {
          id: `${suite.name.slice(0, 2)}-${one.name
            .toLowerCase()
            .replaceAll(/[^a-z0-9]+/g, "-")
            .replaceAll(/^-|-$/g, "")}`,
          title: one.name,
          verdict: found,
          counts: isFailure(found, { lesson: lessonOf(one), title: one.name }, settings),
          reason: reason ?? null,
          finding: card?.finding?.id ?? null,
          evidence: card?.finding?.evidence ?? evidence ?? null,
          see: see ?? null,
        }
      })
      return {
        id: suite.name.slice(0, 2),
        title: suite.name.slice(3),
        verdict: WORST.find((each) => tests.some((one) => one.verdict === each)) ?? "not chosen",
        tests,
      }
    }),
  )
  const all = lessons.flatMap(({ tests }) => tests)
  const errors = modules.flatMap((module) => module.errors().map(({ message }) => message))
  const count = (...wanted: string[]) => all.filter((one) => wanted.includes(one.verdict)).length
  return {
    kubernetes: settings.kubernetes,
    subject: settings.subject ?? null,
    passed: count("passed"),
    failed: count("failed") + errors.length,
    skipped: count("blocked", "cannot check here", "not chosen"),
    errors,
    lessons,
  }
}

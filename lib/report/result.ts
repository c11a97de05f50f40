import { z } from "zod"
import type { Card } from "./card.ts"
import { IDENTIFIER_KINDS } from "../subjects/host-identifiers.ts"
import { withOurs } from "./stand-ins.ts"
import { countsOf, VERDICTS, worstOf, type Counts } from "./verdict.ts"

const verdict = z.enum(VERDICTS)

const standIn = z.object({
  component: z.string(),
  reason: z.string().describe("why the learner's component does not run"),
})

const outcomeResult = z.object({
  id: z.string().describe("lesson and title in lower case with hyphens; it changes only if the title changes"),
  title: z.string(),
  verdict,
  counts: z.boolean().describe("whether this outcome makes the run fail"),
  reason: z.string().nullable().describe("why it did not pass, in one line"),
  finding: z
    .string()
    .nullable()
    .describe("id of the finding that explains a failure; null if the outcome passed or no known cause matches"),
  evidence: z
    .string()
    .nullable()
    .describe("the line that was seen: for a pass it proves the outcome, for a failure it shows the cause"),
  see: z.string().nullable().describe("what to type on the machine to see the same"),
  milliseconds: z.number().describe("duration"),
  message: z.string().nullable().describe("the whole message of a failure, with line breaks; null if it did not fail"),
  card: z
    .custom<Card>((value) => typeof value === "object" && value !== null)
    .nullable()
    .describe("the card of a failure: expected, observed, finding, components that are not well"),
  standIns: z
    .array(standIn)
    .describe("the project's own components with which it was checked, because the learner's do not run (--stand-in)"),
})

const identifier = z.object({
  kind: z.enum(IDENTIFIER_KINDS),
  value: z.string().describe("the uid itself; of everything else the SHA-256"),
})

const lessonResult = z.object({
  id: z.string().describe("two digits"),
  title: z.string(),
  verdict: verdict.describe("the verdict of its worst test"),
  milliseconds: z.number().describe("total duration of its tests"),
  tests: z.array(outcomeResult),
})

const fault = z.object({
  file: z
    .string()
    .nullable()
    .describe("the lesson's file, relative to the suite; null if the error belongs to no file"),
  message: z.string(),
  stack: z.string().nullable(),
})

/**
 * The name and version of the schema of RunResult. A field that is added keeps the version; the version changes if a
 * field is removed or gets another meaning.
 */
export const RESULT_SCHEMA = "byhand/result/v1"

/** The schema of RunResult. */
export const runResult = z.object({
  schema: z.literal(RESULT_SCHEMA),
  kubernetes: z.string().describe("the version of Kubernetes that was run, such as 1.37.2"),
  subject: z
    .string()
    .nullable()
    .describe("the folder of start scripts, or the running host (local, ssh://…); null for the project's own cluster"),
  passed: z.number().int(),
  failed: z.number().int(),
  skipped: z.number().int(),
  milliseconds: z.number().describe("duration of the run, including its preparation"),
  errors: z
    .array(z.string())
    .describe("messages of errors outside of the tests, such as a lesson's file that cannot be loaded"),
  faults: z.array(fault).describe("the same errors with file and stack"),
  standIns: z.array(standIn).describe("all stand-ins of the run; a run with one fails"),
  lessons: z.array(lessonResult),
  identifiers: z
    .array(identifier)
    .optional()
    .describe("what the running host and its cluster have in common with no other by chance; only for running hosts"),
})

/** The whole result of a run, as plain data: the same in memory and as JSON. */
export type RunResult = z.infer<typeof runResult>
export type LessonResult = z.infer<typeof lessonResult>
/** A component of ours that ran in place of the learner's. */
type StandInResult = z.infer<typeof standIn>
export type OutcomeResult = z.infer<typeof outcomeResult>
/**
 * An error outside of the tests: a lesson's file that cannot be loaded, or an unhandled rejection. Counts as one
 * failed test.
 */
export type Fault = z.infer<typeof fault>

/** The JSON Schema of RunResult, for editors and validators. */
export function resultSchema(): object {
  return { title: RESULT_SCHEMA, ...z.toJSONSchema(runResult, { unrepresentable: "any" }) }
}

/** Builds a lesson's result from those of its outcomes. */
export function lessonResultOf(lesson: Pick<LessonResult, "id" | "title">, tests: OutcomeResult[]): LessonResult {
  return {
    id: lesson.id,
    title: lesson.title,
    verdict: worstOf(tests.map((test) => test.verdict)),
    milliseconds: tests.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    tests,
  }
}

/** Builds a run's result, with its counts. */
export function runResultOf(
  run: Pick<RunResult, "kubernetes" | "subject" | "milliseconds" | "identifiers">,
  lessons: LessonResult[],
  faults: Fault[],
): RunResult {
  const counts = countsOf(lessons.flatMap(({ tests }) => tests.map((test) => test.verdict)))
  return {
    schema: RESULT_SCHEMA,
    kubernetes: run.kubernetes,
    subject: run.subject,
    passed: counts.passed,
    failed: counts.failed + faults.length,
    skipped: counts.skipped,
    milliseconds: run.milliseconds,
    errors: faults.map(({ message }) => message),
    faults,
    standIns: standInsOf(lessons.flatMap(({ tests }) => tests)),
    lessons,
    ...(run.identifiers && { identifiers: run.identifiers }),
  }
}

/** The stand-ins with which some outcomes were checked, each once. */
export function standInsOf(tests: readonly OutcomeResult[]): StandInResult[] {
  return [...new Map(tests.flatMap(({ standIns }) => standIns.map((one) => [one.component, one]))).values()]
}

/** The exit status for a result: 0 if nothing failed and nothing of ours ran in place of the learner's, 1 otherwise. */
export function exitStatusOf({ faults, standIns, lessons }: RunResult): 0 | 1 {
  const isFailed = lessons.some(({ tests }) => tests.some(({ counts }) => counts))
  return faults.length > 0 || standIns.length > 0 || isFailed ? 1 : 0
}

/** The closing line, which grading pipelines read. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/** The components of ours with which a lesson was checked. */
export function standInNamesOf({ tests }: LessonResult): string[] {
  return standInsOf(tests).map(({ component }) => component)
}

/**
 * One line about a lesson: the last evidence if it passed, the number of outcomes with each verdict if it failed,
 * otherwise the reason of the first outcome with the worst verdict. Stand-ins are named before an evidence, and after
 * everything else.
 */
export function summaryOf(lesson: LessonResult): string {
  const names = standInNamesOf(lesson)
  const [own, mark] = [ownSummaryOf(lesson), names.length === 0 ? "" : `${withOurs(names)} in place of yours`]
  return (lesson.verdict === "passed" ? [mark, own] : [own, mark]).filter((part) => part !== "").join("; ")
}

function ownSummaryOf({ verdict: worst, tests }: LessonResult): string {
  if (worst === "failed")
    return VERDICTS.map((verdict) => ({ verdict, count: tests.filter((test) => test.verdict === verdict).length }))
      .filter(({ count }) => count > 0)
      .map(({ verdict, count }) => `${count} ${verdict}`)
      .join(", ")
  const line =
    worst === "passed"
      ? tests.findLast(({ evidence }) => evidence !== null)?.evidence
      : tests.find((test) => test.verdict === worst)?.reason
  return line ?? ""
}

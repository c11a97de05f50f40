import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { componentNames } from "../../components/registry.ts"
import { lessonThatStarts } from "../../curriculum/lessons.ts"
import { allTests } from "./all-tests.ts"
import type { Grader } from "./graders.ts"
import { isLeftOut } from "./left-out.ts"
import type { RunResult } from "../../report/result.ts"
import type { Verdict } from "../../report/verdict.ts"
import { logOf } from "../../components/component.ts"
import type { Sabotage } from "./sabotage.ts"
import { folderOf, type Style } from "./styles.ts"
import { testResultsOf, type Examination, type TestResult } from "./tasks.ts"

/** The result of one sabotage. */
export interface Proof {
  readonly sabotage: Sabotage
  /** The style of the learner's folder that made the mistake; undefined for our own cluster. */
  readonly style?: Style | undefined
  /** The verdict of each test. A key is the lesson's number and the test's title: "03 a ConfigMap that …". */
  readonly verdicts: ReadonlyMap<string, Verdict>
  /** The differences from the prediction; empty if there is none. */
  readonly mistakes: readonly string[]
  readonly seconds: number
  /** Seconds from the start of what failed to the first card; undefined if the doctor proves the sabotage. */
  readonly toCard?: number | undefined
}

/** Whether the doctor must find this sabotage. Otherwise the lessons must find it. */
export function isForDoctor({ fails }: Sabotage): boolean {
  return fails.length === 0
}

/**
 * Tests a cluster without sabotage: every test must pass, and the doctor must find nothing.
 * @param known the result of a run of all lessons; undefined if they must run here
 * @returns the differences from that
 */
export async function proveUnbroken(grader: Grader, known: RunResult | undefined): Promise<string[]> {
  const { tests, errors } =
    known === undefined
      ? await lessons(grader, undefined, [])
      : { tests: testResultsOf(known.lessons), errors: known.errors }
  const [examination] = await examine(grader, [])
  const missing = allTests().filter((name) => !tests.some(({ test }) => test === name))
  return [
    ...errors,
    ...missing.map((name) => `${name}: was not run`),
    ...tests
      .filter(({ verdict }) => verdict !== "passed")
      .map(({ test, verdict, reason }) => `${test}: ${verdict}, ${reason}`),
    ...(examination?.errors ?? ["the doctor did not answer"]),
    ...(examination?.findings ?? []).map((id) => `byhand doctor finds ${id} where nothing is broken`),
  ]
}

/** The names of tests in a sabotage that match no test. */
export function unknownTests(sabotage: Sabotage, tests: readonly string[]): string[] {
  return [
    ...sabotage.fails,
    ...(sabotage.byScripts?.fails ?? []),
    ...(sabotage.before === undefined ? [] : [sabotage.before]),
    ...(sabotage.since === undefined ? [] : [sabotage.since]),
    ...(sabotage.thru === undefined ? [] : [sabotage.thru]),
  ].filter((name) => !tests.some((test) => test.startsWith(name)))
}

/**
 * Runs the lessons on a cluster with a sabotage and compares the results with the prediction.
 * @param tests the names of all tests
 * @param style how a learner's folder makes the mistake; undefined if our own cluster makes it
 * @param isWhole whether every lesson runs. Otherwise only the lessons run that the sabotage can affect. A sabotage
 * that
 *   changes a component, or that acts just before a test, cannot affect an earlier lesson. After the last lesson that fails,
 *   at most one lesson runs, and only if it must be blocked.
 */
export async function proveByLessons(
  grader: Grader,
  sabotage: Sabotage,
  tests: readonly string[],
  isWhole: boolean,
  style?: Style,
): Promise<Proof> {
  const began = performance.now()
  const predicted = style === undefined ? sabotage : { ...sabotage, ...sabotage.byScripts }
  const chosen = telling(predicted, lessonsOf(tests), isWhole)
  const subject = style === undefined ? undefined : writeFolder(sabotage, style)
  const { tests: all, errors, toCard } = await lessons(grader, sabotage.id, chosen, subject)
  const results = all.filter(({ test }) => !isLeftOut(predicted, test))
  if (subject !== undefined) rmSync(subject, { recursive: true, force: true })
  return {
    sabotage,
    style,
    toCard,
    verdicts: new Map(results.map(({ test, verdict }) => [test, verdict])),
    mistakes: [
      ...errors,
      ...mistakesIn(predicted, results),
      ...(style === undefined ? [] : results.flatMap(foreignPaths)),
    ],
    seconds: (performance.now() - began) / 1000,
  }
}

/** Writes a learner's folder that makes the mistake of a sabotage. @returns its path */
function writeFolder(sabotage: Sabotage, style: Style): string {
  const folder = mkdtempSync(join(tmpdir(), "byhand-style-"))
  for (const [name, text] of folderOf(sabotage, style)) writeFileSync(join(folder, name), text)
  return folder
}

/** Uses the doctor to examine clusters with these sabotages, one after another. */
export async function proveByDoctor(grader: Grader, sabotages: readonly Sabotage[]): Promise<Proof[]> {
  const examined = await examine(
    grader,
    sabotages.map(({ id }) => id),
  )
  return sabotages.map((sabotage) => {
    const found = examined.find((one) => one.sabotage === sabotage.id)
    const mistakes =
      found === undefined
        ? ["the doctor did not answer"]
        : found.errors.length > 0
          ? found.errors
          : found.findings.includes(sabotage.finding)
            ? []
            : [`byhand doctor finds ${found.findings.join(", ") || "nothing"}, not ${sabotage.finding}`]
    return { sabotage, verdicts: new Map(), mistakes, seconds: found?.seconds ?? 0 }
  })
}

/** The differences between the results of the lessons and a sabotage's prediction. */
function mistakesIn(sabotage: Sabotage, results: readonly TestResult[]): string[] {
  const mustFailOne = (test: string) => sabotage.fails.some((name) => test.startsWith(name))
  const firstToFail = results.findIndex(({ test }) => mustFailOne(test))
  return results.flatMap(({ test, verdict, reason, finding }, at) => {
    const mustFail = mustFailOne(test)
    const expected = mustFail
      ? "failed"
      : sabotage.blocks !== undefined && at > firstToFail && Number(test.slice(0, 2)) >= sabotage.blocks
        ? "blocked"
        : "passed"
    // A component that runs for a short time can make one or two tests fail before the other tests are blocked.
    if (expected === "blocked" && verdict === "failed" && finding === sabotage.finding) return []
    // A test that waits is blocked if it meets the cause that an earlier test's card names.
    const isNamed = results.slice(0, at).some((one) => one.verdict === "failed" && one.finding === sabotage.finding)
    if (mustFail && verdict === "blocked" && isNamed) return []
    if (verdict !== expected) return [`${test}: ${verdict}, not ${expected}${reason === "" ? "" : `: ${reason}`}`]
    return mustFail && finding !== sabotage.finding
      ? [`${test}: finding ${finding}, not ${sabotage.finding}: ${reason}`]
      : []
  })
}

/** Paths in the advice for a learner that exist only on our own cluster: the logs of its components. */
function foreignPaths({ test, advice }: TestResult): string[] {
  return componentNames
    .map(logOf)
    .filter((path) => advice.includes(path))
    .map((path) => `${test}: its card names ${path}, which a learner's cluster does not have`)
}

function lessonsOf(tests: readonly string[]): string[] {
  return [...new Set(tests.map((test) => test.slice(0, 2)))]
}

/**
 * The lessons that must run to check a sabotage's prediction.
 * @param isWhole whether every lesson up to `until` runs
 */
export function telling(sabotage: Sabotage, all: readonly string[], isWhole: boolean): string[] {
  const { fails, blocks, until } = sabotage
  const first = isWhole ? 1 : firstTouched(sabotage)
  const lastToFail = Math.max(...fails.map((test) => Number(test.slice(0, 2))))
  const last = until ?? (isWhole ? Infinity : blocks === undefined ? lastToFail : Math.max(lastToFail, blocks) + 1)
  return all.filter((lesson) => Number(lesson) >= first && Number(lesson) <= last)
}

/**
 * The first lesson that a sabotage can affect: the lesson of its `before` test, or the lesson that starts the first
 * changed component.
 */
function firstTouched({ from, before, script, brings, component = {} }: Sabotage): number {
  if (from !== undefined) return from
  const acts = script !== undefined || brings !== undefined
  if (before === undefined && acts) return 1
  const changed = componentNames
    .filter((name) => name in component)
    .map((name) => lessonThatStarts(name)?.number ?? Infinity)
  return Math.min(...changed, before === undefined ? Infinity : Number(before.slice(0, 2)))
}

/** Lets a grader run lessons. If the grader dies or hangs, the reason is returned as an error. */
async function lessons(
  grader: Grader,
  sabotage: string | undefined,
  chosen: readonly string[],
  subject?: string,
): Promise<{ tests: readonly TestResult[]; errors: readonly string[]; toCard?: number | undefined }> {
  try {
    const answer = await grader.ask({ kind: "lessons", sabotage, lessons: chosen, subject })
    if (answer.kind === "lessons")
      return {
        tests: answer.tests.filter(({ test }) => chosen.length === 0 || chosen.includes(test.slice(0, 2))),
        errors: answer.errors,
        toCard: answer.toCard,
      }
    return { tests: [], errors: ["The grader sent an answer to another kind of task."] }
  } catch (error) {
    return { tests: [], errors: [String(error)] }
  }
}

async function examine(grader: Grader, ids: readonly string[]): Promise<readonly Examination[]> {
  try {
    const answer = await grader.ask({ kind: "doctor", sabotages: ids })
    return answer.kind === "doctor" ? answer.examined : []
  } catch (error) {
    return ids.map((sabotage) => ({ sabotage, findings: [], errors: [String(error)], seconds: 0 }))
  }
}

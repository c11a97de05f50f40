import { execa } from "execa"
import { join } from "node:path"
import { z } from "zod"
import { gradeDocument } from "../../report/grade-document.ts"
import { packageRoot } from "../../base/settings.ts"
import { reference } from "../../curriculum/transcript/steps.ts"
import type { Sabotage } from "./sabotage.ts"

/** Seconds a component may take to become ready: a cluster that is broken should not be waited for long. A busy host needs more. */
const PATIENCE = process.env["BYHAND_PATIENCE"] ?? "15"

/** Milliseconds after which a run counts as hanging, and has proved nothing. */
const HANGING = 600_000

/** What came of one sabotage. */
export interface Proof {
  readonly sabotage: Sabotage
  /** By test: "03 a ConfigMap that …". */
  readonly verdicts: ReadonlyMap<string, string>
  /** Where it came otherwise than was predicted; empty where all did. */
  readonly mistakes: readonly string[]
  readonly seconds: number
}

interface Verdict {
  readonly test: string
  readonly verdict: string
  readonly reason: string
  /** The id of the card's finding; "none" where it says that nothing known fits. */
  readonly finding: string
}

const examined = z.object({ findings: z.array(z.object({ id: z.string() })) })

const byhand = (args: readonly string[], sabotage?: string) => node(["cli", "main.js"], args, sabotage)

/** Runs a program of dist/. */
const node = (program: readonly string[], args: readonly string[], sabotage?: string) =>
  execa(process.execPath, [join(packageRoot, "dist", ...program), ...args], {
    reject: false,
    stdin: "ignore",
    timeout: HANGING,
    env: { BYHAND_PATIENCE: PATIENCE, ...(sabotage === undefined ? {} : { BYHAND_SABOTAGE: sabotage }) },
  })

/** Lessons in a cluster that is broken so, or in a whole one; all by default. */
async function grade(
  sabotage?: string,
  lessons: readonly string[] = [],
): Promise<{ verdicts: Verdict[]; errors: string[] }> {
  const { stdout, stderr } = await byhand(["grade", ...lessons, "--json"], sabotage)
  try {
    const { lessons, errors } = gradeDocument.parse(JSON.parse(stdout.slice(Math.max(0, stdout.indexOf("{\n")))))
    return {
      errors,
      verdicts: lessons.flatMap(({ id, tests }) =>
        tests.map(({ title, verdict, reason, finding }) => ({
          test: `${id} ${title}`,
          verdict,
          reason: reason ?? "",
          finding: finding ?? "none",
        })),
      ),
    }
  } catch {
    return { verdicts: [], errors: [`the lessons told nothing: ${stderr.trim() || stdout.slice(-500)}`] }
  }
}

/** What a cluster with nothing broken comes to: every test passes, and the doctor finds nothing. */
export async function unbroken(): Promise<{ tests: string[]; mistakes: string[] }> {
  const { verdicts, errors } = await grade()
  const found = await doctor("unbroken")
  return {
    tests: verdicts.map(({ test }) => test),
    mistakes: [
      ...errors,
      ...verdicts
        .filter(({ verdict }) => verdict !== "passed")
        .map(({ test, verdict, reason }) => `${test}: ${verdict}, ${reason}`),
      ...found.map((id) => `byhand doctor finds ${id} where nothing is broken`),
    ],
  }
}

/**
 * Breaks a cluster so, and compares what comes of it with what was predicted.
 * @param tests all that there are
 * @param isWhole whether every lesson runs, rather than those that can tell: what comes with a component, or just before
 *   a test, cannot trouble an earlier lesson; beyond the last lesson that fails only one more is run, and that where it must be blocked
 */
export async function prove(sabotage: Sabotage, tests: readonly string[], isWhole: boolean): Promise<Proof> {
  const before = performance.now()
  const unknown = [...sabotage.fails, ...(sabotage.before === undefined ? [] : [sabotage.before])].filter(
    (name) => !tests.some((test) => test.startsWith(name)),
  )
  const { verdicts, mistakes } =
    unknown.length > 0
      ? { verdicts: new Map<string, string>(), mistakes: unknown.map((name) => `there is no test ${name} …`) }
      : sabotage.fails.length === 0
        ? await proveByDoctor(sabotage)
        : await proveByLessons(sabotage, telling(sabotage, lessonsOf(tests), isWhole))
  return { sabotage, verdicts, mistakes, seconds: (performance.now() - before) / 1000 }
}

function lessonsOf(tests: readonly string[]): string[] {
  return [...new Set(tests.map((test) => test.slice(0, 2)))]
}

/** The lessons that can tell whether a sabotage does what was predicted, or all for which something was. */
function telling(sabotage: Sabotage, lessons: readonly string[], isWhole: boolean): string[] {
  const { fails, blocks, until } = sabotage
  const first = isWhole ? 1 : firstTouched(sabotage)
  const lastToFail = Math.max(...fails.map((test) => Number(test.slice(0, 2))))
  const last = until ?? (isWhole ? Infinity : blocks === undefined ? lastToFail : Math.max(lastToFail, blocks) + 1)
  return lessons.filter((lesson) => Number(lesson) >= first && Number(lesson) <= last)
}

/** The first lesson that a sabotage can touch: that of the test just before which it is done, or that of the first component which is started otherwise. */
function firstTouched({ before, script, component = {} }: Sabotage): number {
  if (before === undefined && script !== undefined) return 1
  const changed = Object.values(reference)
    .filter(({ name }) => name in component)
    .map(({ lesson }) => lesson)
  return Math.min(...changed, before === undefined ? Infinity : Number(before.slice(0, 2)))
}

async function proveByLessons(
  sabotage: Sabotage,
  lessons: readonly string[],
): Promise<Pick<Proof, "verdicts" | "mistakes">> {
  const { verdicts: all, errors } = await grade(sabotage.id, lessons)
  const verdicts = all.filter(({ test }) => lessons.includes(test.slice(0, 2)))
  const mustFailOne = (test: string) => sabotage.fails.some((name) => test.startsWith(name))
  const firstToFail = verdicts.findIndex(({ test }) => mustFailOne(test))
  const mistakes = verdicts.flatMap(({ test, verdict, reason, finding }, at) => {
    const mustFail = mustFailOne(test)
    const expected = mustFail
      ? "failed"
      : sabotage.blocks !== undefined && at > firstToFail && Number(test.slice(0, 2)) >= sabotage.blocks
        ? "blocked"
        : "passed"
    // A component that lives for a moment fails a test or two before it blocks the rest.
    if (expected === "blocked" && verdict === "failed" && finding === sabotage.finding) return []
    if (verdict !== expected) return [`${test}: ${verdict}, not ${expected}${reason === "" ? "" : `: ${reason}`}`]
    return mustFail && finding !== sabotage.finding
      ? [`${test}: finding ${finding}, not ${sabotage.finding}: ${reason}`]
      : []
  })
  return { verdicts: new Map(verdicts.map(({ test, verdict }) => [test, verdict])), mistakes: [...errors, ...mistakes] }
}

async function proveByDoctor(sabotage: Sabotage): Promise<Pick<Proof, "verdicts" | "mistakes">> {
  const found = await doctor(sabotage.id, sabotage)
  const mistakes = found.includes(sabotage.finding)
    ? []
    : [`byhand doctor finds ${found.join(", ") || "nothing"}, not ${sabotage.finding}`]
  return { verdicts: new Map(), mistakes }
}

/** Ids of what the doctor finds on a cluster that is up, and then broken where it is to be. */
async function doctor(name: string, sabotage?: Sabotage): Promise<string[]> {
  const clusterName = `sabotage-${name}`.slice(0, 32).replace(/-$/, "")
  const cluster = ["--name", clusterName]
  try {
    const up =
      sabotage === undefined
        ? await byhand(["up", ...cluster])
        : await node(["proof", "sabotage", "up.js"], [clusterName], sabotage.id)
    if (up.exitCode !== 0) return [`(up: ${up.stderr.trim()})`]
    const broken =
      sabotage?.script === undefined ? undefined : await byhand(["shell", ...cluster, "sh", "-ec", sabotage.script])
    if (broken !== undefined && broken.exitCode !== 0)
      return [`(script: ${broken.stderr.trim() || broken.stdout.trim()})`]
    const { stdout, stderr } = await byhand(["doctor", ...cluster, "--json"])
    const parsed = examined.safeParse(JSON.parse(stdout === "" ? "{}" : stdout))
    return parsed.success ? [...new Set(parsed.data.findings.map(({ id }) => id))] : [`(doctor: ${stderr.trim()})`]
  } finally {
    await byhand(["down", ...cluster])
  }
}

import { execa } from "execa"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import { lessonId, lessons } from "../../curriculum/lessons.ts"
import { runResult, type RunResult } from "../../report/result.ts"
import type { Prediction } from "../failing-builds.ts"

/** The folder of the builds. */
export const SUBJECTS = join(packageRoot, "fixtures", "subjects")
/** The patience for builds that must fail (seconds): enough for what must pass before, even beside other tests. */
const PATIENCE = "60"

/** An outcome of a graded build. */
interface GradedOutcome {
  readonly test: string
  readonly verdict: string
  readonly finding: string | null
}

/** What became of a build: its outcomes in order, and the end of what the grader printed. */
export interface GradedBuild {
  readonly outcomes: readonly GradedOutcome[]
  readonly said: string
}

/**
 * Grades a copy of a build. In the copy, links are replaced by their targets, because a learner's folder must contain
 * its files itself.
 */
export async function gradeBuild(
  kind: "pass" | "fail",
  build: string,
  numbers: readonly string[],
  patience: string,
): Promise<GradedBuild> {
  const place = mkdtempSync(join(tmpdir(), "byhand-build-"))
  try {
    cpSync(join(SUBJECTS, kind, build), join(place, build), { recursive: true, dereference: true })
    return await gradeFolder(join(place, build), numbers, patience)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** Grades a folder. @param numbers of the lessons; empty for all */
export async function gradeFolder(folder: string, numbers: readonly string[], patience: string): Promise<GradedBuild> {
  const place = mkdtempSync(join(tmpdir(), "byhand-build-"))
  try {
    const file = join(place, "grade.json")
    const { all } = await execa(
      process.execPath,
      [join(packageRoot, "dist", "cli", "main.js"), "grade", folder, ...numbers, "--json", file],
      {
        reject: false,
        all: true,
        stdin: "ignore",
        env: { NO_COLOR: "1", BYHAND_RUNS: join(place, "runs"), BYHAND_PATIENCE: patience },
      },
    )
    return { outcomes: outcomesOf(runResult.parse(JSON.parse(readFileSync(file, "utf8")))), said: all.slice(-4_000) }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/**
 * The first lesson that can be graded alone: a build that fails there or later has the shipped scripts for the lessons
 * before, which other tests grade.
 */
const GRADED_ALONE = "08"

/**
 * What a build that must fail comes to. found: the predicted outcomes, as they were. before: the outcomes before the
 * first of them that did not pass.
 */
export async function gradeFailingBuild(
  build: string,
  predicted: Prediction,
): Promise<{ found: (GradedOutcome | undefined)[]; before: GradedOutcome[]; said: string }> {
  const [begin = "", end = ""] = [predicted.at(0), predicted.at(-1)].map((one) => one?.[0].slice(0, 2))
  const tried = lessons.map(lessonId).filter((number) => number <= end && (begin < GRADED_ALONE || number >= begin))
  const { outcomes, said } = await gradeBuild("fail", build, tried, PATIENCE)
  const found = predicted.map(([name]) => outcomes.find(({ test }) => test.startsWith(name)))
  const first = outcomes.findIndex(({ test }) => test === found[0]?.test)
  return { found, before: outcomes.slice(0, first).filter(({ verdict }) => verdict !== "passed"), said }
}

function outcomesOf({ lessons: graded }: RunResult): GradedOutcome[] {
  return graded.flatMap(({ id, tests }) =>
    tests.map(({ title, verdict, finding }) => ({ test: `${id} ${title}`, verdict, finding })),
  )
}

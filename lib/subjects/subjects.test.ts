import { execa } from "execa"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, describe, expect, test } from "vitest"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { runResult, type RunResult } from "../report/result.ts"
import { failingBuilds } from "../proof/failing-builds.ts"
import { packageRoot } from "../base/settings.ts"
import { artifacts } from "../proof/testing/workplace.ts"

const SUBJECTS = join(packageRoot, "fixtures", "subjects")
/** The patience for builds that must fail (seconds): short, because some of them never start a component. */
const PATIENCE = "20"

beforeAll(() => artifacts(), 1_800_000)

/** Grades a copy of a build. In the copy, links are replaced by their targets, because a learner's folder must contain its files itself. */
async function grade(
  kind: "pass" | "fail",
  build: string,
  lessons: readonly string[],
  patience: string,
): Promise<{ document: RunResult; said: string }> {
  const place = mkdtempSync(join(tmpdir(), "byhand-build-"))
  try {
    cpSync(join(SUBJECTS, kind, build), join(place, build), { recursive: true, dereference: true })
    const file = join(place, "grade.json")
    const { all } = await execa(
      process.execPath,
      [join(packageRoot, "dist", "cli", "main.js"), "grade", join(place, build), ...lessons, "--json", file],
      {
        reject: false,
        all: true,
        stdin: "ignore",
        env: { NO_COLOR: "1", BYHAND_RUNS: join(place, "runs"), BYHAND_PATIENCE: patience },
      },
    )
    return { document: runResult.parse(JSON.parse(readFileSync(file, "utf8"))), said: all }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

function testsOf({ lessons }: RunResult) {
  return lessons.flatMap(({ id, tests }) =>
    tests.map(({ title, verdict, finding }) => ({ test: `${id} ${title}`, verdict, finding })),
  )
}

test("each predicted build has a folder, and each folder a prediction", () => {
  expect(readdirSync(join(SUBJECTS, "fail")).toSorted()).toEqual(Object.keys(failingBuilds).toSorted())
})

describe.concurrent("a build with another valid choice passes", () => {
  test.for(readdirSync(join(SUBJECTS, "pass")))("%s", { timeout: 600_000 }, async (build, { expect }) => {
    const { document, said } = await grade("pass", build, [], "120")
    expect(
      testsOf(document).filter(({ verdict }) => verdict !== "passed"),
      said.slice(-4_000),
    ).toEqual([])
    expect(testsOf(document).length).toBeGreaterThan(0)
  })
})

describe.concurrent("a build that only looks right fails, with the predicted finding", () => {
  test.for(Object.entries(failingBuilds))("%s", { timeout: 600_000 }, async ([build, predicted], { expect }) => {
    const last = predicted.at(-1)?.[0].slice(0, 2) ?? ""
    const tried = lessons.map(lessonId).filter((number) => number <= last)
    const { document, said } = await grade("fail", build, tried, PATIENCE)
    const tests = testsOf(document)
    const found = predicted.map(([name]) => tests.find(({ test }) => test.startsWith(name)))
    expect(found, said.slice(-4_000)).toEqual(
      predicted.map(([name, finding]) => ({
        test: expect.stringContaining(name) as string,
        verdict: "failed",
        finding,
      })),
    )
    expect(
      tests
        .slice(
          0,
          tests.findIndex(({ test }) => test === found[0]?.test),
        )
        .filter(({ verdict }) => verdict !== "passed"),
    ).toEqual([])
  })
})

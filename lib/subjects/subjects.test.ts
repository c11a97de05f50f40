import { execa } from "execa"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, describe, expect, test } from "vitest"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { runResult, type RunResult } from "../report/result.ts"
import { packageRoot } from "../base/settings.ts"
import { artifacts } from "../proof/testing/workplace.ts"

const SUBJECTS = join(packageRoot, "fixtures", "subjects")
/** Seconds; whoever does not start a component is not waited for long. */
const PATIENCE = "20"

/** The tests of a build that must fail, and the finding that each must get. Nothing else may fail before the first of them. */
const FAILING: Readonly<Record<string, readonly (readonly [test: string, finding: string])[]>> = {
  "says-that-it-passed": [["01 etcd starts", "script-ended"]],
  "never-ends": [["01 etcd starts", "script-without-effect"]],
  "canned-etcdctl": [["01 etcd starts", "script-without-effect"]],
  "listens-for-etcd": [["01 etcd starts", "port-taken"]],
  "kills-the-grader": [["01 etcd starts", "machine-ended"]],
  "forks-for-ever": [["01 etcd starts", "no-processes-left"]],
  "kube-apiserver-in-python": [["02 kube-apiserver starts", "not-genuine"]],
  "hidden-etcd": [
    ["02 what kube-apiserver makes", "another-etcd"],
    ["02 a namespace written straight", "another-etcd"],
    ["02 by its sockets", "another-etcd"],
  ],
  "mirrored-etcd": [
    ["02 a namespace written straight", "another-etcd"],
    ["02 by its sockets", "another-etcd"],
  ],
  "open-to-everybody": [["02 without a token", "open-to-everybody"]],
  "kube-scheduler-in-bash": [["04 once a scheduler runs", "not-genuine"]],
  "fake-kubectl": [["05 the kubelet registers", "script-without-effect"]],
  "other-kubectl": [["02 kubectl get nodes", "witness-replaced"]],
  "pod-that-never-ran": [
    ["06 kubectl run hello", "pod-never-ran"],
    ["06 its process is a child", "pod-never-ran"],
    ["07 the kubelet acts alone", "pod-never-ran"],
  ],
}

beforeAll(() => artifacts(), 1_800_000)

/** Grades a copy in which links have become what they lead to: a learner's folder holds its files itself. */
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

test("every build is here, and so is each one's folder", () => {
  expect(readdirSync(join(SUBJECTS, "fail")).toSorted()).toEqual(Object.keys(FAILING).toSorted())
})

describe.concurrent("whatever a learner may choose passes", () => {
  test.for(readdirSync(join(SUBJECTS, "pass")))("%s", { timeout: 600_000 }, async (build, { expect }) => {
    const { document, said } = await grade("pass", build, [], "120")
    expect(
      testsOf(document).filter(({ verdict }) => verdict !== "passed"),
      said.slice(-4_000),
    ).toEqual([])
    expect(testsOf(document).length).toBeGreaterThan(0)
  })
})

describe.concurrent("whatever only looks right does not, and is told why", () => {
  test.for(Object.entries(FAILING))("%s", { timeout: 600_000 }, async ([build, predicted], { expect }) => {
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

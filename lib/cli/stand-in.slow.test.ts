import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { byhandIn } from "../proof/testing/byhand.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"
import { runResult } from "../report/result.ts"

let place: Workplace
let learner: string
beforeEach(async () => {
  place = await workplace()
  learner = join(mkdtempSync(join(tmpdir(), "byhand-learner-")), "my-cluster")
  cpSync(join(packageRoot, "fixtures", "solution"), learner, { recursive: true })
})
afterEach(async () => {
  await place[Symbol.asyncDispose]()
  rmSync(join(learner, ".."), { recursive: true })
})

const byhand = (...words: string[]) => byhandIn(place, words, "120")

/** Mistypes a flag in a script, so that its component ends at once. */
function mistype(script: string, flag: string): void {
  const path = join(learner, script)
  writeFileSync(path, readFileSync(path, "utf8").replace(flag, `${flag}e`))
}

/** Grades lessons with stand-ins. Returns what was printed, and how often each lesson had each verdict with which. */
async function grade(...words: string[]) {
  const file = join(learner, "..", "result.json")
  const { stdout, stderr, exitCode } = await byhand("grade", learner, "--stand-in", "--json", file, ...words)
  const result = runResult.parse(JSON.parse(readFileSync(file, "utf8")))
  const verdicts = result.lessons.map(({ id, tests }) => [
    id,
    ...new Set(tests.map((one) => [one.verdict, ...one.standIns.map(({ component }) => component)].join(" "))),
  ])
  return { stdout, stderr, exitCode, result, verdicts }
}

test("a lesson whose component ours replaces fails with its card; later ones are graded with ours, and marked", async () => {
  mistype("01-etcd.sh", "--data-dir")
  const { stdout, stderr, exitCode, result, verdicts } = await grade("01", "02", "--keep")
  try {
    expect(verdicts, stdout + stderr).toEqual([
      ["01", "failed", "blocked"],
      ["02", "passed etcd"],
    ])
    expect(exitCode).toBe(1)
    expect(result.standIns).toEqual([
      { component: "etcd", reason: expect.stringMatching(/^etcd exited with 2 .*--data-dire/) as string },
    ])
    expect(stdout).toContain("why        etcd does not know the flag --data-dire (unknown-flag)")
    expect(stdout).toContain("\n ! with our etcd in place of yours: etcd exited with 2")
    expect(stdout).toMatch(/\n ✓ 02 kubectl get nodes says that there are none \d+ms with our etcd\n/)
    expect(stdout).toMatch(/\n02 .* passed .* with our etcd in place of yours; /)
    expect(stdout).toContain("\n ! our etcd ran in place of yours, so this run does not pass\n")
    expect((await byhand("status")).stdout).toMatch(/\n {2}etcd +pid \d+ +ready +ours, in place of the learner's\n/)
  } finally {
    await byhand("down", "--last")
  }
})

test("a lesson that is graded alone uses ours for what does not start before it, and the run fails", async () => {
  mistype("02-apiserver.sh", "--secure-port")
  mistype("04-scheduler.sh", "--secure-port")
  const { stdout, stderr, exitCode, result, verdicts } = await grade("04", "05")
  const printed = stdout + stderr
  expect(verdicts, printed).toEqual([
    ["04", "passed kube-apiserver", "failed kube-apiserver", "blocked kube-apiserver"],
    ["05", "passed kube-apiserver kube-scheduler"],
  ])
  expect(exitCode).toBe(1)
  expect(result.standIns.map(({ component }) => component)).toEqual(["kube-apiserver", "kube-scheduler"])
  expect(printed).toContain("   with       our kube-apiserver in place of yours\n")
  expect(printed).toContain("kube-scheduler does not know the flag --secure-porte (unknown-flag)")
})

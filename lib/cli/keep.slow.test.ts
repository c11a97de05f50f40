import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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
  await byhand("down", "--last")
  await place[Symbol.asyncDispose]()
  rmSync(join(learner, ".."), { recursive: true })
})

const byhand = (...words: string[]) => byhandIn(place, words, "60")

test("the machine of a failed run is kept: the commands of its cards run there, status lists it, down ends it", async () => {
  const before = await place.census()
  const script = join(learner, "02-apiserver.sh")
  // The kubeconfig has a name of its own, and etcd listens on another port than the tools try by themselves.
  for (const file of [script, join(learner, "01-etcd.sh")])
    writeFileSync(
      file,
      readFileSync(file, "utf8").replaceAll(":2379", ":12379").replaceAll("/root/.kube/config", "/root/cluster/admin"),
    )
  writeFileSync(script, readFileSync(script, "utf8").replace("--etcd-servers=http://127.0.0.1:12379", "$&9"))
  const file = join(learner, "..", "result.json")
  const graded = await byhand("grade", learner, "01", "02", "--keep", "--json", file)
  expect(graded.stdout).toMatch(/\n8 passed, 1 failed, \d+ skipped$/)
  expect(graded.stderr).toContain("To look inside: npx byhand shell --last   To end it: npx byhand down --last")

  const { lessons } = runResult.parse(JSON.parse(readFileSync(file, "utf8")))
  const card = lessons.flatMap(({ tests }) => tests).find(({ verdict }) => verdict === "failed")?.card
  const look = await byhand("shell", "--last", "bash", "-c", card?.finding?.look ?? "exit 9")
  expect(look.stdout).toContain("12379")
  expect(look.exitCode).toBe(0)
  expect((await byhand("shell", "--last", "etcdctl", "get", "/hello", "--print-value-only")).stdout).toBe("world")
  expect((await byhand("shell", "--last", "printenv", "KUBECONFIG")).stdout).toBe("/root/cluster/admin")
  expect((await byhand("status")).stdout).toMatch(/^graded, since .*\n +the machine of byhand grade \S+my-cluster\n/)

  const again = await byhand("grade", learner, "01", "--keep")
  expect(again.stderr).toMatch(/^The machine that the run of .* kept is ended\.\n/)
  expect(await byhand("down")).toMatchObject({ exitCode: 0, stdout: "graded is down; nothing of it is left." })
  expect(await place.censusLike(before)).toEqual(before)
})

test("a run with --keep that is killed leaves no machine", async () => {
  const before = await place.census()
  const grading = byhand("grade", learner, "01", "--keep")
  const supervisor = join(place.settings.runsDir, "up-graded", "supervisor")
  await expect.poll(() => existsSync(supervisor), { timeout: 60_000 }).toBe(true)
  expect(await byhand("down")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/^Process \d+ has started the machine graded and still uses it\. /) as string,
  })
  grading.kill("SIGKILL")
  await grading
  expect(await place.censusLike(before)).toEqual(before)
  expect(readdirSync(place.settings.runsDir)).toEqual([])
})

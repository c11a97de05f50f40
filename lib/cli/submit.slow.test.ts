import { execa } from "execa"
import { cpSync, existsSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { byhandIn } from "../proof/testing/byhand.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"

let place: Workplace
let folder: string
let learner: string
beforeEach(async () => {
  place = await workplace()
  folder = mkdtempSync(join(tmpdir(), "byhand-submit-"))
  learner = join(folder, "my-cluster")
  mkdirSync(learner)
  cpSync(join(packageRoot, "fixtures", "solution", "01-etcd.sh"), join(learner, "01-etcd.sh"))
})
afterEach(async () => {
  await place[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const byhand = (...words: string[]) => byhandIn(place, words, "120", folder)

test("a folder is handed in, verified, graded again, and replayed", async () => {
  writeFileSync(join(learner, "words.md"), "etcd keeps its word.\n")
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")])
  const submitted = await byhand("submit", "my-cluster", "--out", "out", "--key", "key", "--json")
  expect(submitted).toMatchObject({ exitCode: 0 })
  expect(JSON.parse(submitted.stdout)).toMatchObject({ folder: join(folder, "out"), isSigned: true })
  expect(readFileSync(join(folder, "out", "note.md"), "utf8")).toMatch(
    /\n\*\*The key outlives a restart of etcd\.\*\* etcd \(process \d+\) [^]+\netcd keeps its word\.\n/,
  )
  writeFileSync(join(folder, "signers"), `my-cluster ${readFileSync(join(folder, "key.pub"), "utf8")}`)
  const verified = await byhand("verify", "out", "--signers", "signers", "--rerun")
  expect(verified.stdout).toContain("\nGraded again here, its scripts have the same verdicts.\n")
  expect(verified.exitCode).toBe(0)
  const replayed = await byhand("replay", "out", "01", "etcdctl", "get", "/hello")
  expect([replayed.exitCode, replayed.stdout]).toEqual([0, expect.stringMatching(/^\/hello\n/)])
  expect(readdirSync(place.settings.runsDir)).toEqual([])
})

test("a script that contains the token that it writes to the machine is not handed in", async () => {
  const script = join(learner, "01-etcd.sh")
  const token = "correct-horse-battery"
  const text = readFileSync(script, "utf8").replace(
    "\n",
    `\nmkdir -p /root/.kube; printf 'user:\\n  %s: %s\\n' token ${token} >/root/.kube/config\n`,
  )
  writeFileSync(script, text)
  const { exitCode, stdout } = await byhand("submit", "my-cluster", "--out", "out")
  expect(stdout).toContain(
    "\nNothing was written, because a submission must not contain a secret:\n  scripts/01-etcd.sh, line 2: a secret of /root/.kube/config\n",
  )
  expect(stdout.slice(stdout.indexOf("Nothing was written"))).not.toContain(token)
  expect(exitCode).toBe(1)
  expect(existsSync(join(folder, "out"))).toBe(false)
})

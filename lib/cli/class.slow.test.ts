import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { packageRoot } from "../base/settings.ts"
import { byhandIn } from "../proof/testing/byhand.ts"
import { workplace, type Workplace } from "../proof/testing/workplace.ts"
import { ownValues } from "../subjects/own-values.ts"

let place: Workplace
let folder: string
beforeEach(async () => {
  place = await workplace()
  folder = mkdtempSync(join(tmpdir(), "byhand-class-"))
  const script = readFileSync(join(packageRoot, "fixtures", "solution", "01-etcd.sh"), "utf8")
  write("alice", script)
  write("bob", script.replace("--data-dir", "--data-dirr"))
  write("hans", "#!/bin/bash\nexec sleep infinity\n")
})
afterEach(async () => {
  await place[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

function write(student: string, script: string): void {
  mkdirSync(join(folder, student))
  writeFileSync(join(folder, student, "01-etcd.sh"), script, { mode: 0o755 })
}

const byhand = (...words: string[]) => byhandIn(place, ["class", ...words], "120", folder)

test("one passes, one is broken, and one hangs: a killed run leaves nothing, and the next grades only who is left", async () => {
  const before = await place.census()
  const two = "lessons: [01]\nsubjects:\n- {id: alice, folder: alice}\n- {id: bob, folder: bob}\n"
  writeFileSync(join(folder, "class.yaml"), two)
  const first = await byhand("class.yaml", "--parallel", "2", "--format", "junit=out/{id}.xml")
  expect(first.stdout).toMatch(/^✓ alice +100 %$/m)
  expect(first.stdout).toMatch(
    /^student +grade +01\nalice +100 % +8\/8\nbob +0 % +0\/8 +01 etcd does not know the flag /m,
  )
  expect(first.exitCode).toBe(0)
  expect(readdirSync(join(folder, "out"))).toEqual(["alice.xml", "bob.xml"])

  writeFileSync(join(folder, "class.yaml"), `${two}- {id: hans, folder: hans}\n`)
  const killed = byhand("class.yaml")
  const runs = place.settings.runsDir
  const hasMachine = () => readdirSync(runs).some((run) => existsSync(join(runs, run, "supervisor")))
  await expect.poll(hasMachine, { timeout: 60_000, interval: 100 }).toBe(true)
  killed.kill("SIGKILL")
  await killed
  expect(await place.censusLike(before)).toEqual(before)

  const outputs = ["--csv", "book.csv", "--html", "book.html", "--similar"]
  const last = await byhand("class.yaml", "--resume", "--limit", "5", ...outputs)
  expect(last.stdout).toMatch(/^✓ alice +100 % +unchanged$/m)
  expect(last.stdout).toMatch(/^hans +– +no answer after 5 s while /m)
  expect(last.stdout).toMatch(/\n2 of 3 students have a grade, 50 % on average\.$/m)
  expect(last.stdout).toMatch(
    /\n\nStuck, by cause: 1 of 3 students; times in UTC\nunknown-flag: 1 student\n  01  etcd does not know .*\n      bob since 20/,
  )
  expect(last.stdout).toMatch(/^  1  unknown-flag  etcd does not know /m)
  expect(last.stdout).toMatch(
    /\n\nSimilar scripts\n.*\n3 folders were compared: nothing in common but what is given\.$/,
  )
  expect(last.exitCode).toBe(1)
  const [, alice, , hans] = readFileSync(join(folder, "book.csv"), "utf8").split("\r\n")
  expect([alice, hans]).toEqual([
    expect.stringMatching(/^alice,100,100,0,8,8,/),
    expect.stringMatching(/^hans,,,,,,.*,no answer after 5 s while /),
  ])
  expect(readFileSync(join(folder, "book.html"), "utf8")).toMatch(/<code>unknown-flag<\/code>: 1 student</)
  expect(await place.censusLike(before)).toEqual(before)
})

test("where students have values of their own, a script that was handed on fails at once, and the row says why", async () => {
  const [own] = ownValues("carol").values
  const [other] = ownValues("dave").values
  const text = readFileSync(join(folder, "alice", "01-etcd.sh"), "utf8")
  const script = text.replace("--data-dir", `--name=${own?.value} --data-dir`)
  write("carol", script)
  write("dave", script)
  const students = "subjects:\n- {id: carol, folder: carol}\n- {id: dave, folder: dave}\n"
  writeFileSync(join(folder, "class.yaml"), `lessons: [01]\nvalues: individual\n${students}`)
  const { stdout } = await byhand("class.yaml", "--parallel", "2")
  expect(stdout).toMatch(/^carol +100 % +8\/8$/m)
  expect(stdout).toMatch(new RegExp(`^dave +0 % +0/8 +01 .*--name of dave is ${other?.value}`, "m"))
})

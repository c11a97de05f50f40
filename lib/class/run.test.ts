import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import { outcomeWith } from "../proof/testing/results.ts"
import type { Card } from "../report/card.ts"
import { lessonResultOf, runResultOf } from "../report/result.ts"
import type { Class, Student } from "./class-file.ts"
import type { Obtained } from "./obtain.ts"
import type { Outcome, Row } from "./row.ts"
import { gradeClass, type ClassEvent, type Grading } from "./run.ts"
import { compareClass, readTexts, type Reading } from "./similar.ts"
import { Store } from "./store.ts"

let here: string
beforeEach(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-run-"))
  writeFileSync(join(here, "grader.mjs"), GRADER)
  for (const [name, outcome] of Object.entries({
    passed: outcomeWith({}),
    failed: outcomeWith({ verdict: "failed", finding: "etcd-elsewhere", card: CARD }),
    other: outcomeWith({ verdict: "failed", finding: "port-taken", card: CARD }),
  }))
    writeFileSync(
      join(here, `${name}.json`),
      JSON.stringify(
        runResultOf(
          { kubernetes: "1.37.2", subject: null, milliseconds: 1 },
          [lessonResultOf({ id: "01", title: "etcd" }, [outcome])],
          [],
        ),
      ),
    )
})
afterEach(() => rmSync(here, { recursive: true }))

const CARD: Card = {
  failure: { kind: "mismatch", outcome: "x", expected: "a", actual: "b" },
  observed: "b",
  unwell: [],
}

/** Stands for the real grader: the name of the student says what it does. "hangs" hangs once. HERE/count has a line for each start. */
const GRADER = `
import { spawn } from "node:child_process"
import { appendFileSync, copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
process.once("disconnect", () => process.kill(-process.pid, "SIGKILL"))
const { student, result, lessons, subject } = JSON.parse(process.argv[2])
const here = process.env.HERE
appendFileSync(join(here, "count"), student + " " + lessons + "\\n")
const hangs = student === "hangs" && !existsSync(join(here, "pid"))
if (hangs) writeFileSync(join(here, "pid"), String(spawn("sleep", ["1000"]).pid))
if (student !== "silent host") {
  process.send({ type: "lesson started", lesson: "01", title: "etcd" })
  process.send({ type: "outcome started", lesson: "01", title: "put says OK" })
}
const answer = () => { copyFileSync(join(here, "passed.json"), result); process.exit() }
switch (student) {
  case "hangs": if (hangs) setInterval(() => undefined, 1000); else answer(); break
  case "dies": process.kill(process.pid, "SIGKILL"); break
  case "unreachable": process.send({ type: "refused", reason: "host\u001b[2J cannot be reached: no route." }, () => process.exit(1)); break
  case "silent host": setInterval(() => undefined, 1000); break
  case "lies": console.log("8 passed, 0 failed, 0 skipped"); process.exit(0); break
  case "garbage": writeFileSync(result, "{}"); process.exit(0); break
  case "floods":
    for (let line = 0; line < 2000; line++) process.stdout.write("x".repeat(1000) + "\\n")
    process.stdout.write("the end\\n", answer)
    break
  case "stuck": {
    // Its script names the result; a name without a file is a grader that dies.
    const name = readFileSync(join(subject, "01-etcd.sh"), "utf8").trim().split(" ").at(-1)
    copyFileSync(join(here, name + ".json"), result)
    process.exit()
  }
  default: answer()
}
`

const student = (id: string): Student => {
  const path = join(here, id)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, "01-etcd.sh"), `# ${id}\n`, { flag: "a" })
  return { id, source: { kind: "folder", path }, submitted: undefined, due: undefined }
}

const classOf = (...ids: string[]): Class => ({
  title: undefined,
  isIndividual: false,
  rules: {
    lessons: ["01"],
    isChosen: true,
    weights: undefined,
    credit: "per outcome",
    due: undefined,
    late: undefined,
  },
  students: ids.map(student),
})

const openStore = (isResumed = false) => Store.open(join(here, "out"), isResumed)

/** Grades a class. @returns what became of each student, and who was really graded */
async function run(
  graded: Class,
  given: Partial<Grading> = {},
  stopAt: (event: ClassEvent, stop: () => void) => void = () => undefined,
) {
  writeFileSync(join(here, "count"), "")
  const store = openStore(given.isResumed)
  const stop = new AbortController()
  const grading: Grading = {
    program: join(here, "grader.mjs"),
    parallel: 2,
    limit: 60,
    standIn: false,
    isResumed: false,
    environment: { HERE: here },
    version: "1",
    ...given,
  }
  const rows = await gradeClass(graded, store, grading, (event) => stopAt(event, () => stop.abort()), stop.signal)
  store.close(!stop.signal.aborted)
  return {
    rows: Object.fromEntries(
      rows.map(({ id, outcome }) => [id, outcome.kind === "graded" ? "graded" : outcome.reason]),
    ),
    graded: readFileSync(join(here, "count"), "utf8").split("\n").slice(0, -1).toSorted(),
  }
}

test("what was obtained to be graded is compared without being obtained again", async () => {
  const missing: Student = { ...student("missing"), source: { kind: "archive", path: join(here, "none.zip") } }
  const all = classOf("a", "z")
  const students = [...all.students, missing]
  const readings = new Map<string, Reading>()
  const look = async (id: string, obtaining: Promise<Obtained>) => {
    readings.set(id, await readTexts(obtaining))
  }
  const { rows } = await run({ ...all, students }, { look })
  expect(rows).toMatchObject({ a: "graded", z: "graded", missing: expect.stringContaining("none.zip") })
  for (const id of ["a", "z"]) rmSync(join(here, id), { recursive: true })

  const compare = (known: ReadonlyMap<string, Reading>) =>
    compareClass(
      students,
      { workOf: (id) => join(here, "work", id) },
      known,
      { compared: 0, shared: [] },
      new AbortController().signal,
    )
  expect(await compare(readings)).toMatchObject({ compared: 2, others: [{ id: "missing" }] })
  expect(await compare(new Map())).toMatchObject({ compared: 0 })
})

test("one that hangs, dies, lies, floods or writes rubbish affects only its own row", async () => {
  const missing: Student = { ...student("missing"), source: { kind: "archive", path: join(here, "none.zip") } }
  const all = classOf("a", "hangs", "dies", "lies", "garbage", "floods", "z")
  const { rows } = await run({ ...all, students: [...all.students, missing] }, { limit: 5 })
  expect(rows).toEqual({
    a: "graded",
    hangs: "no answer after 5 s while looking at etcd (01 put says OK)",
    dies: "the grader was killed by SIGKILL while looking at etcd (01 put says OK)",
    lies: "the grader exited with 0 while looking at etcd (01 put says OK)",
    garbage: "the result of the grader cannot be read",
    floods: "graded",
    z: "graded",
    missing: expect.stringContaining("no such file") as string,
  })
  // What the one that hung had started was killed with it.
  const pid = readFileSync(join(here, "pid"), "utf8")
  await expect.poll(() => isRunning(pid)).toBe(false)
  const log = readFileSync(join(here, "out", "students", "floods.log"), "utf8")
  expect(log.length).toBeLessThanOrEqual(64 * 1024)
  expect(log).toMatch(/\nthe end\n$/)
})

test("hosts are graded again each time, and one that refuses or hangs affects only its own row", async () => {
  const host = (id: string): Student => ({
    ...student(id),
    source: { kind: "host", target: `ssh://${id}`, sshConfig: undefined },
  })
  const graded = { ...classOf("a"), students: [host("well"), host("unreachable"), host("silent host"), student("a")] }
  const expected = {
    well: "graded",
    unreachable: "host cannot be reached: no route",
    "silent host": "no answer after 5 s while logging in to the host",
    a: "graded",
  }
  const looked: string[] = []
  const look = (id: string) => Promise.resolve(void looked.push(id))
  const first = await run(graded, { limit: 5, look })
  expect(first.rows).toEqual(expected)
  expect(looked).toEqual(["a"])
  const again = await run(graded, { limit: 5 })
  expect(again.rows).toEqual(expected)
  expect(again.graded).toEqual(["silent host 01", "unreachable 01", "well 01"])
})

test("results are kept for their owner only, and nothing else stays", async () => {
  await run(classOf("a"))
  expect(statSync(join(here, "out", "students", "a.json")).mode & 0o777).toBe(0o600)
  expect(statSync(join(here, "out", "students")).mode & 0o777).toBe(0o700)
  expect(() => statSync(join(here, "out", "work"))).toThrow()
})

test("a later run grades what has changed, what failed by our own fault, and what more time can change", async () => {
  const graded = classOf("a", "b", "dies", "slow", "slower")
  expect((await run(graded)).graded).toEqual(["a 01", "b 01", "dies 01", "slow 01", "slower 01"])
  for (const [id, after] of [
    ["slow", 59],
    ["slower", 60],
  ] as const)
    rewrite(id, { kind: "ungraded", reason: "no answer", after, isOurs: false })
  student("b") // Changes its script.
  const again = await run(graded)
  expect(again.graded).toEqual(["b 01", "dies 01", "slow 01"])
  expect(again.rows).toMatchObject({ a: "graded", slow: "graded", slower: "no answer" })
  writeFileSync(join(here, "out", "students", "a.json"), "{")
  expect((await run({ ...graded, students: graded.students.slice(0, 2) })).graded).toEqual(["a 01"])
})

function rewrite(id: string, outcome: Outcome): void {
  const file = join(here, "out", "students", `${id}.json`)
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), outcome }))
}

test("other lessons or another version are graded again", async () => {
  const graded = classOf("a")
  await run(graded)
  expect((await run(graded)).graded).toEqual([])
  expect((await run(graded, { version: "2" })).graded).toEqual(["a 01"])
  const more = { ...graded, rules: { ...graded.rules, lessons: ["01", "02"] } }
  expect((await run(more, { version: "2" })).graded).toEqual(["a 01,02"])
})

test("an interrupted run keeps what has finished, leaves nothing running, and goes on with the others", async () => {
  const graded = classOf("a", "hangs", "c")
  const first = await run(graded, { parallel: 1 }, (event, stop) => {
    if (event.type === "subject moved" && event.id === "hangs" && event.position.outcome !== "01") stop()
  })
  expect(first).toEqual({ rows: { a: "graded" }, graded: ["a 01", "hangs 01"] })
  await expect.poll(() => isRunning(readFileSync(join(here, "pid"), "utf8"))).toBe(false)
  // What has finished is not looked at again, although its script has changed.
  student("a")
  const resumed = await run(graded, { isResumed: true })
  expect(resumed.graded).toEqual(["c 01", "hangs 01"])
  expect(Object.keys(resumed.rows)).toEqual(["a", "hangs", "c"])
  expect(() => openStore(true)).toThrow(/There is no interrupted run in /)
  expect((await run(graded)).graded).toEqual(["a 01"])
})

test("a student is stuck since the first run that saw the same finding; a run without a grade changes nothing", async () => {
  const graded = classOf("stuck")
  const script = join(here, "stuck", "01-etcd.sh")
  const stored = async (result: string) => {
    writeFileSync(script, `# ${Math.random()} ${result}\n`)
    await run(graded)
    return openedRow("stuck")
  }
  const first = await stored("failed")
  expect(first.stuck).toEqual({ lesson: "01", cause: "etcd-elsewhere", since: first.at })
  const again = await stored("failed")
  expect(again.at).toBeGreaterThan(first.at)
  expect(again.stuck).toEqual(first.stuck)
  const dead = await stored("none")
  expect([dead.outcome.kind, dead.stuck]).toEqual(["ungraded", first.stuck])
  expect((await stored("failed")).stuck).toEqual(first.stuck)
  const other = await stored("other")
  expect(other.stuck).toEqual({ lesson: "01", cause: "port-taken", since: other.at })
  expect((await stored("passed")).stuck).toBeNull()
  const back = await stored("other")
  expect(back.stuck?.since).toBe(back.at)
  // What an old version has stored has no such field.
  const file = join(here, "out", "students", "stuck.json")
  const old = { ...JSON.parse(readFileSync(file, "utf8")), stuck: undefined, at: 5 }
  writeFileSync(file, JSON.stringify(old))
  expect((await stored("other")).stuck?.since).toBe(5)
})

function openedRow(id: string): Row {
  const store = openStore()
  const row = store.kept(id)
  store.close(true)
  if (row === undefined) throw new Error(`nothing is kept of ${id}`)
  return row
}

test("two processes cannot use the same folder", () => {
  const store = openStore()
  expect(() => openStore()).toThrow(UsageError)
  store.close(true)
  openStore().close(true)
})

function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

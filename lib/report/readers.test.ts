import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { UsageError } from "../base/errors.ts"
import type { RunEvent } from "./events.ts"
import { emptyResultFile } from "./result-file.ts"
import {
  exitStatusOf,
  lessonResultOf,
  runResult,
  runResultOf,
  type Fault,
  type OutcomeResult,
  type RunResult,
} from "./result.ts"
import { lessonTable } from "./lesson-table.ts"
import { targetReader } from "./target-reader.ts"
import { targetsFor, targetsOf } from "./targets.ts"
import { terminal } from "./terminal.ts"
import { outcomeWith as outcome, recordedEvents } from "../proof/testing/results.ts"

const LONG = "only kube-apiserver, pid 279, is connected to etcd, and nothing else on this machine is or was"

/** A run in which each verdict occurs. */
const resultWith = (...faults: Fault[]) =>
  runResultOf(
    { kubernetes: "1.37.2", subject: null, milliseconds: 34_100 },
    [
      lessonResultOf({ id: "01", title: "etcd: the cluster's brain" }, [
        outcome({}),
        outcome({ title: "a watch sees a put", milliseconds: 669, evidence: LONG }),
      ]),
      lessonResultOf({ id: "02", title: "kube-apiserver: the only client of etcd" }, [
        outcome({
          title: "kube-apiserver starts",
          verdict: "failed",
          reason: "kube-apiserver was not ready after 15.0 s",
          message: "kube-apiserver was not ready after 15.0 s\n    its log",
          card: {
            failure: { kind: "thrown", name: "Error", message: "", code: undefined },
            observed: "kube-apiserver was not ready after 15.0 s",
            unwell: [],
          },
        }),
        outcome({ title: "holds its port", verdict: "failed", reason: "no card", message: "no card\nsecond line" }),
      ]),
      lessonResultOf({ id: "03", title: "every object is a key" }, [
        outcome({ title: "a ConfigMap is a key", verdict: "blocked", reason: "blocked by lesson 02" }),
      ]),
      lessonResultOf({ id: "05", title: "kubelet" }, [
        outcome({ title: "a Node", verdict: "cannot check here", reason: "cannot check here: needs root" }),
        outcome({ title: "a lease", verdict: "not chosen" }),
      ]),
    ],
    faults,
  )

const eventsOf = (result: RunResult): RunEvent[] => [
  { type: "run started", runner: "4.1.12", folder: "/suite", kubernetes: "1.37.2", subject: null, at: 0 },
  ...result.lessons.flatMap(({ id: lesson, title, tests }): RunEvent[] => [
    { type: "lesson started", lesson, title },
    ...tests.flatMap((test): RunEvent[] => [
      { type: "outcome started", lesson, title: test.title },
      { type: "component started", component: "etcd", pid: 7, lesson, title: test.title },
      { type: "outcome ended", lesson, title: test.title, result: test },
    ]),
  ]),
  { type: "run ended", result },
]

function printed(result: RunResult, given: { width?: number; isTTY?: boolean; see?: boolean } = {}): string {
  let text = ""
  const screen = {
    write: (part: string) => void (text += part),
    width: given.width ?? 100,
    isTTY: given.isTTY ?? false,
  }
  const reader = terminal(screen, given.see ?? false)
  for (const event of eventsOf(result)) reader(event)
  return text
}

test("a blocked outcome shows its card, if it has one: the lesson that blocks it does not run", () => {
  const failure = { kind: "not-running", name: "etcd", log: [], logPath: "/var/log/etcd.log" } as const
  const card = { failure, observed: "etcd exited with 1 after 0.1 s", unwell: [], hintFor: "01" }
  const blocked = outcome({ title: "a Pod", verdict: "blocked", reason: "blocked by lesson 01", card })
  const lesson = lessonResultOf({ id: "06", title: "a Pod runs" }, [
    blocked,
    { ...blocked, title: "another", card: null },
  ])
  const result = runResultOf({ kubernetes: "1.37.2", subject: null, milliseconds: 1 }, [lesson], [])
  const lines = printed(result).split("\n")
  expect(lines[3]).toBe(" × 06 a Pod: blocked by lesson 01")
  expect(lines[4]).toBe("   observed   etcd exited with 1 after 0.1 s")
  expect(lines).toContain("   hint       npx byhand hint 01")
  expect(lines.filter((line) => line.includes("another"))).toEqual([])
})

test("each outcome that was checked has a line, and the others have none; --see adds the command", () => {
  const lines = printed(resultWith()).split("\n")
  expect(lines.slice(0, 4)).toEqual(["", " RUN  v4.1.12 /suite", "", " ✓ 01 etcd starts 131ms"])
  expect(lines[4]).toBe(" ✓ 01 a watch sees a put 669ms")
  expect(lines).toContain(" × 02 kube-apiserver starts 131ms")
  expect(lines).toContain("   observed   kube-apiserver was not ready after 15.0 s")
  for (const title of ["a ConfigMap is a key", "a Node", "a lease"]) expect(lines.join("\n")).not.toContain(title)
  expect(printed(resultWith(), { see: true })).toContain(" ✓ 01 etcd starts 131ms\n     $ etcdctl get /hello\n")
})

test("a failure has a card, or its whole message if there is no card, and the last line has only the counts", () => {
  const text = printed(resultWith({ file: "tests/06-pod.test.ts", message: "no such module", stack: null }))
  expect(text).toContain(
    "\n × 02 kube-apiserver starts 131ms\n   observed   kube-apiserver was not ready after 15.0 s\n",
  )
  expect(text).toContain("\n × 02 holds its port 131ms\nno card\nsecond line\n")
  expect(text).toContain("\n FAIL  tests/06-pod.test.ts\nno such module\n")
  expect(text).toMatch(/\n\n2 passed, 3 failed, 3 skipped\n$/)
})

test.each([80, 100, 200])("the table fits into %i columns", (width) => {
  const rows = printed(resultWith(), { width })
    .split("\n")
    .filter((line) => /^\d\d {2}/.test(line))
  expect(rows.map((row) => row.slice(0, 2))).toEqual(["01", "02", "03", "05"])
  expect(Math.max(...rows.map(({ length }) => length))).toBeLessThanOrEqual(width)
  expect(rows[2]).toMatch(/^03 {2}every object is a key {20}blocked {19}b/)
  expect(rows[0]?.endsWith(width === 200 ? LONG : "…")).toBe(true)
})

test("what was checked with our components is marked wherever it is printed, and the run fails although all passed", () => {
  const standIns = ["etcd", "kubelet"].map((component) => ({ component, reason: `${component} ended` }))
  const result = runResultOf(
    { kubernetes: "1.37.2", subject: "/learner", milliseconds: 1 },
    [
      lessonResultOf({ id: "02", title: "kube-apiserver" }, [
        outcome({ title: "starts", standIns: standIns.slice(0, 1), evidence: LONG }),
      ]),
      lessonResultOf({ id: "06", title: "a Pod" }, [outcome({ title: "runs", standIns })]),
    ],
    [],
  )
  expect(result.standIns).toEqual(standIns)
  expect(exitStatusOf(result)).toBe(1)
  let text = ""
  const reader = terminal({ write: (part) => void (text += part), width: 80, isTTY: false }, false)
  reader({ type: "component replaced", lesson: "02", title: "starts", component: "etcd", reason: "etcd ended" })
  for (const event of eventsOf(result)) reader(event)
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      " ! with our etcd in place of yours: etcd ended",
      " ✓ 02 starts 131ms with our etcd",
      " ✓ 06 runs 131ms with our etcd and kubelet",
      "02  kube-apiserver  passed  0.1 s  with our etcd in place of yours; only kube-a…",
      "06  a Pod           passed  0.1 s  with our etcd and kubelet in place of yours",
      " ! our etcd and kubelet ran in place of yours, so this run does not pass",
    ]),
  )
  expect(text).toMatch(/\n2 passed, 0 failed, 0 skipped\n$/)
})

test("consecutive lessons that the same lesson blocks share a row", () => {
  const blocked = (id: string, by: string) =>
    lessonResultOf({ id, title: `lesson ${id}` }, [outcome({ verdict: "blocked", reason: `blocked by lesson ${by}` })])
  const result = runResultOf(
    { kubernetes: "1.37.2", subject: null, milliseconds: 1 },
    [blocked("03", "02"), blocked("04", "02"), blocked("05", "04")],
    [],
  )
  expect(lessonTable(result, { width: 80, isTTY: false })).toEqual([
    "03–04             blocked    blocked by lesson 02",
    "05     lesson 05  blocked    blocked by lesson 04",
  ])
})

test("on a terminal the outcome that is being checked has a line, which its result replaces", () => {
  expect(printed(resultWith(), { isTTY: true })).toContain("   01 etcd starts …\r\u001b[K")
  // oxlint-disable-next-line no-control-regex -- the test looks for control characters
  expect(printed(resultWith())).not.toMatch(/\u001b|…\r/)
})

test("the exit status is 1 for a failure, for a blocked outcome and for a fault, and 0 otherwise", () => {
  const of = (verdict: OutcomeResult["verdict"], ...faults: Fault[]) =>
    exitStatusOf(
      runResultOf(
        { kubernetes: "1.37.2", subject: null, milliseconds: 1 },
        [lessonResultOf({ id: "01", title: "etcd" }, [outcome({ verdict })])],
        faults,
      ),
    )
  expect([of("passed"), of("not chosen"), of("cannot check here")]).toEqual([0, 0, 0])
  expect([of("failed"), of("blocked")]).toEqual([1, 1])
  expect(of("passed", { file: null, message: "unhandled", stack: null })).toBe(1)
})

test("the JSON output is the result, and a file keeps nothing of an earlier run", () => {
  const result = resultWith()
  let text = ""
  const reader = targetReader(targetsOf(["json"], "--format"), undefined, (part) => void (text += part))
  for (const event of eventsOf(result)) reader(event)
  expect(runResult.parse(JSON.parse(text))).toEqual(result)

  const folder = mkdtempSync(join(tmpdir(), "byhand-result-"))
  try {
    const file = join(folder, "result.json")
    const inFile = targetReader(targetsFor({ format: [], result: file }), undefined)
    for (const event of eventsOf(result)) inFile(event)
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(result)
    emptyResultFile(file, "--json result.json")
    expect(readFileSync(file, "utf8")).toBe("")
    expect(() => emptyResultFile(join(folder, "none", "x"), "--json none/x")).toThrow(UsageError)
    expect(() => emptyResultFile(join(folder, "none", "x"), "--json none/x")).toThrow(
      /^--json none\/x cannot be written: /,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("a long wait is shown: on a terminal in the line of the outcome, elsewhere every 30 seconds", () => {
  const name = { lesson: "02", title: "one" }
  const wait = (seconds: number): RunEvent => ({
    type: "waiting",
    ...name,
    awaited: "kube-apiserver becomes ready",
    milliseconds: seconds * 1000,
    answer: "connect ECONNREFUSED 127.0.0.1:6443",
  })
  const of = (isTTY: boolean) => {
    let text = ""
    const reader = terminal({ write: (part) => void (text += part), width: 80, isTTY }, false)
    reader({ type: "outcome started", ...name })
    for (let seconds = 2; seconds < 70; seconds++) reader(wait(seconds))
    return text
  }
  const line = (seconds: number) =>
    `   ${seconds} s … kube-apiserver becomes ready: connect ECONNREFUSED 127.0.0.1:6443`
  expect(of(false)).toBe(`${line(30)}\n${line(60)}\n`)
  const parts = of(true).split("\r\u001b[K")
  expect([parts.length, parts[1], parts.at(-1)]).toEqual([69, line(2), line(69)])
})

test("a recorded run prints a card for the lesson that failed, blocks what depends on it, and cannot check lesson 05 without root", () => {
  const events = recordedEvents()
  let text = ""
  const reader = terminal({ write: (part) => void (text += part), width: 100, isTTY: false }, false)
  for (const event of events) reader(event)
  const last = events.at(-1)
  const result = runResult.parse(last?.type === "run ended" ? last.result : undefined)
  expect(result.lessons.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
    "01 passed",
    "02 failed",
    "03 blocked",
    "05 cannot check here",
  ])
  expect(exitStatusOf(result)).toBe(1)
  expect(text).toContain(`\n   hint       npx byhand hint 02\n`)
  expect(text.match(/^ × /gm)).toHaveLength(1)
  // From the failed outcome to the end, the run fits on a screen of 24 lines of 100 columns.
  const screen = text.slice(text.indexOf(" × ")).trimEnd().split("\n")
  expect(screen.filter((line) => line.length > 100)).toEqual([])
  expect(screen.length).toBeLessThanOrEqual(24)
  // The same failure is not told twice.
  expect(text.match(/exited with 1 before/g)).toHaveLength(1)
  // The events of an outcome come between its start and its end.
  const types = events.flatMap((event) =>
    "title" in event && event.title === "the key outlives a restart of etcd" ? [event.type] : [],
  )
  expect(types).toEqual([
    "outcome started",
    "component exited",
    "component started",
    "component ready",
    "evidence",
    "outcome ended",
  ])
})

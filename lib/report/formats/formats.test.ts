import { Ajv2020 } from "ajv/dist/2020.js"
import { parse as parseCsv } from "csv-parse/sync"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { Parser, type Result as TapResult } from "tap-parser"
import { validateXML } from "xmllint-wasm"
import { z } from "zod"
import { packageRoot } from "../../base/settings.ts"
import { isOwnFailure } from "../points.ts"
import { lessonResultOf, runResultOf, type OutcomeResult, type RunResult } from "../result.ts"
import { formats } from "./all.ts"
import type { GradedRun } from "./format.ts"
import { canvasCsv, moodleCsv } from "./grade-books.ts"
import { outcomeWith, recordedEvents } from "../../proof/testing/results.ts"

/** The result of the recorded run. */
const recorded = (): RunResult => {
  const last = recordedEvents().at(-1)
  if (last?.type !== "run ended") throw new Error("the recording has no end")
  // The folder was on another machine.
  return { ...last.result, subject: null }
}

/** Texts that a format must not take for its own syntax. */
const AWKWARD =
  '=HYPERLINK("http://x","y"), "quoted" <b>&amp;]]> # not a directive \\ \u0000\u0007\u001b[31mred\u001b[0m\ud800 ☸ 🚢\r\nsecond\tline'

const outcome = (given: Partial<OutcomeResult>): OutcomeResult =>
  outcomeWith({ id: "01-x", title: "a title", ...given })

/** A run with every verdict, awkward texts everywhere, a fault and a component of ours. */
const awkward = (): RunResult => {
  const card = {
    failure: { kind: "thrown", name: "Error", message: AWKWARD, code: undefined } as const,
    observed: AWKWARD,
    unwell: [],
    finding: {
      id: "some-finding",
      component: "etcd" as const,
      cause: AWKWARD,
      remedy: AWKWARD,
      evidence: AWKWARD,
      look: "ls",
    },
  }
  return runResultOf(
    { kubernetes: "1.37.2", subject: null, milliseconds: 34_100 },
    [
      lessonResultOf({ id: "01", title: `etcd ${AWKWARD}` }, [
        outcome({ title: AWKWARD, evidence: AWKWARD, see: AWKWARD }),
        outcome({
          title: "fails",
          verdict: "failed",
          reason: AWKWARD,
          message: AWKWARD,
          finding: "some-finding",
          card,
        }),
        outcome({ title: "fails without a card", verdict: "failed", reason: AWKWARD, message: AWKWARD }),
      ]),
      lessonResultOf({ id: "02", title: "two" }, [
        outcome({ title: "is blocked", verdict: "blocked", reason: "blocked by lesson 01" }),
        outcome({ title: "is blocked, and shows why", verdict: "blocked", reason: "blocked by lesson 01", card }),
        outcome({ title: "cannot be checked", verdict: "cannot check here", reason: "cannot check here: needs root" }),
        outcome({
          title: "strictly",
          verdict: "cannot check here",
          counts: true,
          reason: "cannot check here: needs root",
        }),
        outcome({ title: "was left out", verdict: "not started", reason: "not started: there is no script" }),
        outcome({ title: "was not chosen", verdict: "not chosen" }),
        outcome({ title: "with ours", standIns: [{ component: "etcd", reason: AWKWARD }] }),
      ]),
    ],
    [{ file: "tests/06-pod.test.ts", message: AWKWARD, stack: AWKWARD }],
  )
}

const passing = (): RunResult =>
  runResultOf(
    { kubernetes: "1.37.2", subject: null, milliseconds: 1 },
    [
      lessonResultOf({ id: "01", title: "etcd" }, [outcome({}), outcome({ verdict: "cannot check here" })]),
      lessonResultOf({ id: "08", title: "pki" }, [outcome({ verdict: "not started" })]),
    ],
    [],
  )

const empty = (): RunResult => runResultOf({ kubernetes: "1.37.2", subject: null, milliseconds: 1 }, [], [])

const ENVIRONMENT = {
  CLASSROOM: "k8s",
  ASSIGNMENT: "by-hand",
  ASSIGNMENT_TYPE: "individual",
  OWNER: "alice",
  SUBMISSION_TAG: "submit/2026-06-01T14-32-05Z-a1b2c3d",
  COMMIT_URL: "https://github.example/commit/a1b2c3d",
  RELEASE_URL: "https://github.example/releases/tag/submit",
}
const run = (result: RunResult, given: Partial<GradedRun> = {}): GradedRun => ({
  result,
  hasEnded: true,
  student: "alice",
  startedAt: Date.UTC(2026, 5, 1, 14, 32, 1, 500),
  environment: ENVIRONMENT,
  ...given,
})
const written = (name: string, result: RunResult, given: Partial<GradedRun> = {}): string =>
  formats.find((format) => format.name === name)?.render(run(result, given)) ?? ""

const results = { recorded, awkward, passing, empty }
const each = Object.entries(results).map(([name, of]) => [name, of()] as const)

describe("json", () => {
  test.each(each)("the published schema admits it: %s", (_, result) => {
    const schema = JSON.parse(
      readFileSync(join(packageRoot, "fixtures", "schemas", "grade.schema.json"), "utf8"),
    ) as object // Our own file.
    const ajv = new Ajv2020({ strict: true, allErrors: true })
    const isValid = ajv.validate(schema, JSON.parse(written("json", result)))
    expect(ajv.errors ?? []).toEqual([])
    expect(isValid).toBe(true)
    expect(ajv.validate(schema, { ...result, schema: "byhand/result/v2" })).toBe(false)
    expect(ajv.validate(schema, { ...result, lessons: [{ id: "01" }] })).toBe(false)
  })
})

describe("csv", () => {
  const parsed = (text: string) => parseCsv(text, { columns: true, record_delimiter: "\r\n" })

  test("a row for each outcome; a reader of CSV finds the same texts", () => {
    const rows = parsed(written("csv", recorded()))
    expect(rows).toHaveLength(30)
    expect(rows[0]).toMatchObject({ student: "alice", lesson: "01", verdict: "passed", points: "1", of: "1" })
    expect(rows[8]).toMatchObject({
      lesson: "02",
      verdict: "failed",
      points: "0",
      finding: "script-ended",
      reason: "02-apiserver.sh exited with 1 before any kube-apiserver ran",
    })
  })

  test("no cell is a formula, and line breaks and quotes stay", () => {
    const rows = parsed(written("csv", awkward())) as Record<string, string>[] // With `columns`, rows are objects.
    expect(rows).toHaveLength(10)
    expect(rows[0]?.["evidence"]).toBe(
      `'=HYPERLINK("http://x","y"), "quoted" <b>&amp;]]> # not a directive \\ red\ufffd ☸ 🚢\r\nsecond\tline`,
    )
    expect(rows.flatMap((row) => Object.values(row)).filter((cell) => /^[=+@\t\r-]/.test(cell))).toEqual([])
    expect(rows.find(({ title }) => title === "was left out")).toMatchObject({ points: "0", of: "0" })
    expect(rows.at(-1)).toMatchObject({ "with ours": "etcd", points: "1" })
  })
})

describe("grade books", () => {
  const two = [run(recorded()), run(passing(), { student: "b,ob" })]

  test("Moodle: its own column names; points and feedback are both there", () => {
    const [head, first, second] = parseCsv(moodleCsv(two), { record_delimiter: "\r\n" })
    expect(head).toEqual(["Username", "byhand (Real)", "byhand (Feedback)"])
    expect(first).toEqual([
      "alice",
      "8",
      "8 of 30 points\n02 kube-apiserver starts on top of etcd, and holds port 6443 itself: 02-apiserver.sh exited with 1 before any kube-apiserver ran",
    ])
    expect(second).toEqual(["b,ob", "1", "1 of 2 points"])
  })

  test("Canvas: the columns in the order that its importer requires, and the points possible of the whole class", () => {
    const [head = [], possible, ...students] = parseCsv(canvasCsv(two), { record_delimiter: "\r\n" })
    // lib/gradebook_importer.rb of Canvas: "Student", "ID", then both SIS columns, and Section as the last one.
    expect(head.slice(0, 5)).toEqual(["Student", "ID", "SIS User ID", "SIS Login ID", "Section"])
    expect(possible?.[0]).toContain("Points Possible")
    expect([possible?.[5], ...students.map((row) => [row[3], row[5]])]).toEqual(["30", ["alice", "8"], ["b,ob", "1"]])
  })
})

describe("junit", () => {
  const xsd = readFileSync(join(packageRoot, "fixtures", "schemas", "junit.xsd"), "utf8")
  const validated = (contents: string) => validateXML({ xml: [{ fileName: "junit.xml", contents }], schema: [xsd] })

  test.each(each)("the published schema admits it: %s", async (_, result) => {
    const { valid, errors } = await validated(written("junit", result))
    expect(errors).toEqual([])
    expect(valid).toBe(true)
  })

  test("the schema refuses other documents", async () => {
    const text = written("junit", recorded())
    for (const wrong of [
      text.replace(' failures="1"', ""),
      text.replace("<testcase ", "<test "),
      text.replace("</failure>", ""),
    ])
      expect((await validated(wrong)).valid).toBe(false)
  })

  test("the counts are those of the elements, and no text is lost", () => {
    const text = written("junit", awkward())
    const count = (part: string) => text.split(part).length - 1
    expect([count("<testcase "), count("<failure "), count("<error "), count("<skipped ")]).toEqual([10, 4, 1, 3])
    expect(text).toContain('<testsuites name="byhand" tests="10" failures="4" errors="1" time="34.100">')
    expect(text).toContain(
      'name="=HYPERLINK(&#34;http://x&#34;,&#34;y&#34;), &#34;quoted&#34; &#60;b&#62;&#38;amp;]]&#62; # not a directive \\ red ☸ 🚢&#13;&#10;second&#9;line"',
    )
  })
})

describe("tap", () => {
  const parsed = (text: string) => {
    const parser = new Parser({ strict: true })
    const points: TapResult[] = []
    const oddities: unknown[] = []
    parser.on("assert", (point: TapResult) => points.push(point))
    parser.on("extra", (line: unknown) => oddities.push(line))
    parser.end(text)
    return { points, oddities, results: parser.results }
  }

  test("the recorded run: what failed is not ok, and what was not checked is skipped", () => {
    const { points, oddities, results: all } = parsed(written("tap", recorded()))
    expect(oddities).toEqual([])
    expect(all).toMatchObject({ ok: false, count: 30, fail: 1, skip: 21 })
    expect(points[8]).toMatchObject({
      ok: false,
      name: "02 kube-apiserver starts on top of etcd, and holds port 6443 itself",
      diag: { finding: "script-ended", verdict: "failed" },
    })
    expect(points[9]).toMatchObject({ ok: true, skip: "blocked by lesson 02" })
  })

  test("awkward texts are neither directives nor lines of their own", () => {
    const { points, oddities, results: all } = parsed(written("tap", awkward()))
    expect(oddities).toEqual([])
    expect(all).toMatchObject({ ok: false, count: 10, fail: 5, skip: 3, bailout: false })
    expect(points[0]).toMatchObject({ ok: true, skip: false, todo: false })
    expect(points[0]?.name).toContain("# not a directive")
    expect(points[0]?.diag).toMatchObject({ evidence: expect.stringContaining("\r\nsecond\tline") })
  })

  test("a run in which nothing failed is ok, and so is one without outcomes", () => {
    expect(parsed(written("tap", passing())).results).toMatchObject({ ok: true, count: 3, skip: 2 })
    expect(parsed(written("tap", empty())).results).toMatchObject({ ok: true, count: 0 })
  })
})

// https://gradescope-autograders.readthedocs.io/en/latest/specs/
describe("gradescope", () => {
  const visibility = z.enum(["hidden", "after_due_date", "after_published", "visible"])
  const textFormat = z.enum(["text", "html", "simple_format", "md", "ansi"])
  const documented = z.strictObject({
    score: z.number().min(0),
    execution_time: z.number().optional(),
    output: z.string().optional(),
    output_format: textFormat.optional(),
    test_output_format: textFormat.optional(),
    test_name_format: textFormat.optional(),
    visibility: visibility.optional(),
    stdout_visibility: visibility.optional(),
    extra_data: z.looseObject({}).optional(),
    tests: z.array(
      z.strictObject({
        score: z.number().min(0),
        max_score: z.number().min(0),
        status: z.enum(["passed", "failed"]),
        name: z.string().min(1),
        name_format: textFormat.optional(),
        number: z.string(),
        output: z.string(),
        output_format: textFormat.optional(),
        tags: z.array(z.string()).optional(),
        visibility: visibility.optional(),
        extra_data: z.looseObject({}).optional(),
      }),
    ),
  })

  test.each(each)("it has the documented fields: %s", (_, result) => {
    const { score, tests } = documented.parse(JSON.parse(written("gradescope", result)))
    expect(score).toBe(tests.reduce((sum, each) => sum + each.score, 0))
    expect(new Set(tests.map(({ number }) => number)).size).toBe(tests.length)
  })

  test("a run that has not ended says so", () => {
    const { output } = documented.parse(JSON.parse(written("gradescope", recorded(), { hasEnded: false })))
    expect(output).toContain("The run was not completed.")
    expect(written("gradescope", recorded())).not.toContain("not completed")
  })
})

// https://exercism.org/docs/building/tooling/test-runners/interface
describe("exercism", () => {
  const message = z.string().max(65_535)
  const documented = z
    .strictObject({
      version: z.literal(3),
      status: z.enum(["pass", "fail", "error"]),
      message: message.nullable(),
      tests: z.array(
        z.strictObject({
          name: z.string().min(1),
          status: z.enum(["pass", "fail", "error"]),
          test_code: z.string(),
          task_id: z.number().int().positive(),
          message: message.nullable().optional(),
          output: z.string().max(500).nullable().optional(),
        }),
      ),
    })
    .refine(({ status, message: text }) => (status === "error") === (text !== null))
    .refine(({ status, tests }) => status !== "pass" || tests.every((each) => each.status === "pass"))
    .refine(({ status, tests }) => status !== "fail" || tests.some((each) => each.status !== "pass"))
  const parsed = (result: RunResult) => documented.parse(JSON.parse(written("exercism", result)))

  test("the statuses are pass, fail and error", () => {
    expect(parsed(passing())).toMatchObject({ status: "pass", tests: [{ status: "pass", task_id: 1 }] })
    const failed = parsed(recorded())
    expect(failed.status).toBe("fail")
    expect(failed.tests.map(({ status }) => status).join(" ")).toBe(
      `${"pass ".repeat(8)}fail ${"error ".repeat(15)}`.trim(),
    )
    expect(parsed(empty())).toMatchObject({ status: "error", message: "no outcome was checked" })
    expect(parsed(awkward()).status).toBe("error") // A lesson's file could not be loaded.
    expect(parsed({ ...awkward(), faults: [] }).status).toBe("fail")
  })

  test("a message that is too long is cut", () => {
    const long = lessonResultOf({ id: "01", title: "etcd" }, [
      outcome({}),
      outcome({ verdict: "failed", reason: "x".repeat(100_000) }),
    ])
    expect(parsed({ ...passing(), lessons: [long] }).tests[1]?.message).toHaveLength(65_535)
  })
})

// https://docs.autolabproject.com/lab/ and /features/formatted-feedback/
describe("autolab", () => {
  test.each(each)("the last line is a hash of scores, and the line before describes the stages: %s", (_, result) => {
    const text = written("autolab", result)
    const [feedback = "", last = "", ...more] = text.split("\n")
    expect(more).toEqual([""])
    const { scores } = z.strictObject({ scores: z.record(z.string(), z.number()) }).parse(JSON.parse(last))
    const graded = result.lessons.filter(({ tests }) => tests.some(({ verdict }) => verdict === "passed"))
    expect(Object.values(scores).filter((score) => score > 0)).toHaveLength(graded.length)
    const test = z.strictObject({ passed: z.boolean(), hint: z.string().optional() })
    const { stages, ...rest } = z
      .object({ _presentation: z.literal("semantic"), stages: z.array(z.string()) })
      .catchall(z.union([z.record(z.string(), test), z.string()]))
      .parse(JSON.parse(feedback))
    expect(Object.keys(rest).toSorted()).toEqual(["_presentation", ...stages].toSorted())
    expect(Object.keys(scores)).toEqual(stages)
  })
})

// https://github.com/foundation50/classroom50/wiki/Advanced-Autograding
describe("classroom50", () => {
  const instant = z.string().regex(/^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/)
  const score = z.number().int().min(0)
  const documented = z.strictObject({
    schema: z.literal("classroom50/result/v1"),
    classroom: z.string().min(1),
    assignment: z.string().min(1),
    assignment_type: z.enum(["individual", "group", "team"]),
    owner: z.string().min(1),
    submission: z.string().regex(/^submit\//),
    commit: z.string().min(1),
    release: z.string().min(1),
    review: z.string().min(1),
    datetime: instant,
    graded_at: instant.optional(),
    score,
    "max-score": score,
    tests: z.array(z.looseObject({ "test-name": z.string().min(1), passed: z.boolean(), score, "max-score": score })),
  })

  test.each(each)("it keeps the contract: %s", (_, result) => {
    const parsed = documented.parse(JSON.parse(written("classroom50", result)))
    expect(parsed.score).toBe(parsed.tests.reduce((sum, each) => sum + each.score, 0))
    expect(parsed["max-score"]).toBe(parsed.tests.reduce((sum, each) => sum + each["max-score"], 0))
    expect(parsed).toMatchObject({ owner: "alice", review: ENVIRONMENT.COMMIT_URL, datetime: "2026-06-01T14:32:01Z" })
  })
})

test("GitHub: the summary and the annotations of the recorded run", () => {
  expect(written("github-summary", recorded())).toContain("## 8 of 30 points\n")
  expect(written("github-annotations", recorded())).toMatch(/^::error title=02 kube-apiserver starts [^\n]+\n$/)
})

test("the table is that of the terminal", () => {
  expect(written("table", recorded())).toMatch(/^01 {2}etcd: [^]+\n\n8 passed, 1 failed, 21 skipped\n$/)
})

test("each outcome that makes the run fail is a failure of its own, except those that a shown lesson blocks", () => {
  const tests = awkward().lessons.flatMap((lesson) => lesson.tests)
  expect(tests.filter(isOwnFailure).map(({ title }) => title)).toEqual([
    "fails",
    "fails without a card",
    "is blocked, and shows why",
    "strictly",
  ])
})

test("the README lists all formats", () => {
  const readme = readFileSync(join(packageRoot, "README.md"), "utf8")
  const rows = [...readme.matchAll(/^\| `--format ([\w-]+)` \| (.+) \|$/gm)].map(([, name, text]) => [name, text])
  expect(rows).toEqual(formats.map(({ name, description }) => [name, description]))
})

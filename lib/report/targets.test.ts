import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { UsageError } from "../base/errors.ts"
import { recordedEvents } from "../proof/testing/results.ts"
import { targetReader } from "./target-reader.ts"
import { isOutputTaken, targetsOf } from "./targets.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "byhand-targets-"))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
  vi.restoreAllMocks()
  process.exitCode = undefined
})

const events = recordedEvents()

describe("what the user writes", () => {
  const of = (...words: string[]) => targetsOf(words, "--format", {})

  test("NAME=FILE is a file, NAME and NAME=- are standard output", () => {
    expect(of("junit=a=b.xml", "tap").map(({ format, file }) => [format.name, file])).toEqual([
      ["junit", join(process.cwd(), "a=b.xml")],
      ["tap", undefined],
    ])
    expect(of("tap=-")[0]?.file).toBeUndefined()
    expect([isOutputTaken(of("tap")), isOutputTaken(of("autolab")), isOutputTaken(of("tap=x"))]).toEqual([
      true,
      false,
      false,
    ])
  })

  test.each([
    [["junti=x"], /^There is no format junti\. Did you mean junit\? There are json, csv, /],
    [[""], /^There is no format without a name\. There are json, /],
    [["=x"], /^There is no format without a name\. /],
    [["junit="], /^--format junit= names no file\. Write junit=FILE, or junit for standard output\.$/],
    [["tap", "csv"], /^--format csv is the second document for standard output\. Name a file for it: csv=FILE$/],
    [["tap=x", "csv=./x"], /^--format names the file \/\S+\/x twice\. /],
    [
      ["classroom50=x"],
      /^--format classroom50 needs CLASSROOM, ASSIGNMENT, SUBMISSION_TAG, COMMIT_URL, RELEASE_URL, OWNER, which the runner of Classroom 50 sets\. /,
    ],
  ])("%j", (words, message) => {
    expect(() => of(...words)).toThrow(UsageError)
    expect(() => of(...words)).toThrow(message)
  })
})

test("a run that is killed leaves Gradescope the points that were earned until then", () => {
  const file = join(folder, "results.json")
  const read = () => JSON.parse(readFileSync(file, "utf8")) as { score: number; output: string; tests: unknown[] } // Our own format.
  const reader = targetReader(
    targetsOf([`gradescope=${file}`, `junit=${join(folder, "junit.xml")}`], "--format"),
    undefined,
  )
  const seen: [score: number, tests: number][] = []
  for (const event of events.slice(0, -1)) {
    reader(event)
    if (event.type === "run started" || event.type === "outcome ended") seen.push([read().score, read().tests.length])
  }
  expect(seen.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 8].map((score, at) => [score, at]))
  expect(read().output).toContain("not completed")
  expect(() => readFileSync(join(folder, "junit.xml"))).toThrow("ENOENT") // It is written at the end.
})

test("the student of a grade book is the folder that is graded, or the one that is named", () => {
  const of = (student: string | undefined) => {
    let text = ""
    const reader = targetReader(targetsOf(["canvas"], "--format"), student, (part) => void (text += part))
    for (const event of events) reader(event)
    return text.split("\r\n")[2]
  }
  expect([of(undefined), of("s-17")]).toEqual(["learner,,,learner,,8", "s-17,,,s-17,,8"])
})

test("a document that cannot be written is named, and the others are written", () => {
  const told = vi.spyOn(process.stderr, "write").mockReturnValue(true)
  const lost = join(folder, "none", "x.csv")
  const reader = targetReader(targetsOf([`csv=${lost}`, `table=${join(folder, "table")}`], "--format"), undefined)
  for (const event of events) reader(event)
  expect(told.mock.calls.map(([text]) => text)).toEqual([
    expect.stringMatching(/^--format csv=\S+\/none\/x\.csv cannot be written: ENOENT/),
  ])
  expect(process.exitCode).toBe(1)
  expect(readFileSync(join(folder, "table"), "utf8")).toContain("8 passed, 1 failed, 21 skipped\n")
})

import { Command } from "commander"
import { execa } from "execa"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { UsageError } from "../../base/errors.ts"
import { packageRoot } from "../../base/settings.ts"
import { lessonId, lessons, testFileOf } from "../../curriculum/lessons.ts"
import { diagnose } from "../../diagnosis/diagnose.ts"
import type { Observation } from "../../diagnosis/observation.ts"
import { cardLines } from "../../report/card.ts"
import { closingLine, runResult, type RunResult } from "../../report/result.ts"
import { runCommandLine } from "../command-line.ts"
import { shortest } from "../sabotage/recordings.ts"
import { differences, layOutCase, readCases, recordingOfCase, type Case } from "./case.ts"

/** Cases that are graded at the same time. A grader spends most of its time waiting. */
const AT_A_TIME = 2
/** Columns of a card. */
const WIDTH = 200
/** Seconds that a component may take to become ready. */
const PATIENCE = process.env["BYHAND_PATIENCE"] ?? "20"

const VITEST = join(packageRoot, "node_modules", "vitest", "vitest.mjs")

/** What became of a case: what differs from its expectation, and how long its lessons took (seconds). */
interface Graded {
  readonly mistakes: readonly string[]
  readonly seconds: number
}

/**
 * Grades a folder with the fault of a case.
 * @param isAlone whether only the lesson runs that must fail; otherwise those before it run too, and must pass
 */
async function grade(one: Case, isRecording: boolean, isAlone: boolean): Promise<Graded> {
  const place = mkdtempSync(join(tmpdir(), "byhand-case-"))
  try {
    const folder = join(place, one.name)
    await layOutCase(one, folder)
    const tried = lessons
      .filter((lesson) => (isAlone ? lessonId(lesson) === one.fails : lessonId(lesson) <= one.fails))
      .map(testFileOf)
    const file = join(place, "grade.json")
    const recordings = join(place, "recordings")
    const before = performance.now()
    // The first failed test is all that counts.
    await execa(process.execPath, [VITEST, "run", "--bail=1", ...tried], {
      cwd: packageRoot,
      reject: false,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      env: {
        BYHAND_SUBJECT: folder,
        BYHAND_RESULT: file,
        BYHAND_RUNS: join(place, "runs"),
        BYHAND_PATIENCE: PATIENCE,
        BYHAND_RECORD: recordings,
      },
    })
    const seconds = (performance.now() - before) / 1000
    const mistakes = mistakesIn(one, runResult.parse(JSON.parse(readFileSync(file, "utf8"))))
    if (isRecording) keepRecording(one, recordings)
    return { mistakes, seconds }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** What differs from the expectation of a case: the first lesson that fails, and the card of its first failed test. */
function mistakesIn(one: Case, { lessons: graded, errors }: RunResult): string[] {
  const failed = graded.flatMap(({ id, tests }) =>
    tests.filter(({ verdict }) => verdict === "failed").map((test) => ({ ...test, id })),
  )
  const [first] = failed
  if (first === undefined) return [...errors, `nothing fails, lesson ${one.fails} must`]
  const finding = first.card?.finding
  const mistakes = [
    ...(first.id === one.fails || one.orFails.includes(first.id)
      ? []
      : [`lesson ${first.id} fails first, not ${one.fails}`]),
    ...differences(one, finding),
  ]
  const card = first.card === null ? [] : cardLines(first.card, first.id, undefined, WIDTH)
  return mistakes.length === 0 ? [] : [...mistakes, `${first.id} ${first.title}`, ...card]
}

/**
 * Stores the first recording that leads to the expected card; otherwise the first one, so that a finding can be
 * written.
 */
function keepRecording(one: Case, folder: string): void {
  if (!existsSync(folder)) return // Nothing failed.
  const texts = readdirSync(folder)
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8"))
  // Written by record.ts.
  const fits = texts.find((text) => differences(one, diagnose(JSON.parse(text) as Observation)[0]).length === 0)
  const kept = fits === undefined ? texts[0] : shortest(fits)
  if (kept !== undefined) writeFileSync(recordingOfCase(one), kept)
}

const program = new Command("cases")
  .description("Grades the faults in fixtures/cases as learners' folders. The card must name each.")
  .argument("[names...]", "the cases; by default all")
  .option("--record", "store the observation of each case")
  .option("--alone", "run only the lesson that must fail")
  .exitOverride()
  .action(async (names: string[], { record = false, alone = false }: { record?: boolean; alone?: boolean }) => {
    const all = readCases()
    const unknown = names.find((name) => !all.some((one) => one.name === name))
    if (unknown !== undefined)
      throw new UsageError(`There is no case ${unknown}.`, "Each folder in fixtures/cases is a case.")
    const queue = all.filter(({ name }) => names.length === 0 || names.includes(name))
    const counts = { passed: 0, failed: 0, skipped: all.length - queue.length }
    await Promise.all(
      Array.from({ length: AT_A_TIME }, async () => {
        for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
          const { mistakes, seconds } = await grade(one, record, alone)
          counts[mistakes.length === 0 ? "passed" : "failed"]++
          process.stdout.write(
            `${mistakes.length === 0 ? "✓" : "✗"} ${one.name.padEnd(40)} ${seconds.toFixed(0).padStart(4)} s  ${one.cause}\n`,
          )
          for (const mistake of mistakes) process.stdout.write(`    ${mistake}\n`)
        }
      }),
    )
    process.stdout.write(`\n${closingLine(counts)}\n`)
    process.exitCode = counts.failed === 0 ? 0 : 1
  })

await runCommandLine(program)

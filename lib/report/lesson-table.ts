import type { Reporter, TestCase, TestModule } from "vitest/node"
import { paint } from "../base/colour.ts"
import type { Settings } from "../base/settings.ts"
import { isFailure, lessonOf, verdictOf, type Verdict } from "./verdict.ts"

interface Row {
  readonly lesson: string
  readonly title: string
  readonly verdict: Verdict
  readonly seconds: string
  readonly evidence: string
}

/** How much each verdict weighs: a lesson is as bad as its worst outcome. */
const WEIGHT: Record<Verdict, number> = { failed: 4, blocked: 3, "cannot check here": 2, passed: 1, "not chosen": 0 }
const COLOUR = {
  failed: "red",
  blocked: "yellow",
  "cannot check here": "yellow",
  passed: "green",
  "not chosen": "gray",
} as const
/** Characters for a lesson's title and its evidence together. */
const WIDTH = 120

/** After vitest's own lines: a table of lessons, and the closing line that a grading pipeline reads. */
export class LessonTable implements Reporter {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const rows = modules.flatMap((module) =>
      [...module.children.suites()].map((suite) => rowOf(suite.name, [...suite.children.allTests()])),
    )
    const widest = Math.max(0, ...rows.map(({ title }) => title.length))
    const out = (line: string) => process.stdout.write(`${line}\n`)
    out("")
    for (const row of rows) {
      const verdict = paint(COLOUR[row.verdict], row.verdict.padEnd(17))
      const before = `${row.lesson}  ${row.title.padEnd(widest)}  `
      out(`${before}${verdict}  ${row.seconds.padStart(6)}  ${cut(row.evidence, WIDTH - widest)}`)
    }
    out("")
    const verdicts = tests.map((test) => ({ test, ...verdictOf(test) }))
    if (
      verdicts.some(({ test, verdict }) =>
        isFailure(verdict, { lesson: lessonOf(test), title: test.name }, this.#settings),
      )
    )
      process.exitCode = 1
    const count = (...which: Verdict[]) => verdicts.filter(({ verdict }) => which.includes(verdict)).length
    const unread = modules.filter((module) => module.errors().length > 0).length // A file that could not be loaded holds no test to count.
    out(
      `${count("passed")} passed, ${count("failed") + unread} failed, ${count("blocked", "cannot check here", "not chosen")} skipped`,
    )
  }
}

function rowOf(name: string, tests: readonly TestCase[]): Row {
  const verdicts = tests.map((test) => ({ test, ...verdictOf(test) }))
  const worst = verdicts.reduce((a, b) => (WEIGHT[b.verdict] > WEIGHT[a.verdict] ? b : a))
  const milliseconds = tests.reduce((sum, test) => sum + (test.diagnostic()?.duration ?? 0), 0)
  const evidence =
    worst.verdict === "passed"
      ? verdicts.findLast(({ test }) => test.meta().evidence !== undefined)?.test.meta().evidence
      : worst.reason
  return {
    lesson: name.slice(0, 2),
    title: name.slice(3),
    verdict: worst.verdict,
    seconds: `${(milliseconds / 1000).toFixed(1)} s`,
    evidence: evidence ?? "",
  }
}

function cut(line: string, length: number): string {
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`
}

import { relative } from "node:path"
import type { SerializedError, TestArtifact, UserConsoleLog } from "vitest"
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from "vitest/node"
import type { Settings } from "../base/settings.ts"
import type { OutcomeName, RunEvent } from "./events.ts"
import {
  exitStatusOf,
  lessonResultOf,
  runResultOf,
  type Fault,
  type LessonResult,
  type OutcomeResult,
  type RunResult,
} from "./result.ts"
import { isFailure, type Verdict } from "./verdict.ts"

/**
 * Translates what vitest reports into events and a result, and sets the exit status. No other code reads vitest's
 * objects.
 */
export class VitestAdapter implements Reporter {
  readonly #settings: Settings
  readonly #tell: (event: RunEvent) => void
  #vitest: Vitest | undefined
  #startedAt = 0
  readonly #lessonsStarted = new Set<string>()

  constructor(settings: Settings, tell: (event: RunEvent) => void) {
    this.#settings = settings
    this.#tell = tell
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunStart(): void {
    this.#startedAt = Date.now()
    this.#lessonsStarted.clear()
    const { kubernetes, subject, host } = this.#settings
    this.#tell({
      type: "run started",
      runner: this.#vitest?.version ?? "",
      folder: this.#vitest?.config.root ?? "",
      kubernetes,
      subject: subject ?? host ?? null,
      at: this.#startedAt,
    })
  }

  onTestSuiteReady(suite: TestSuite): void {
    const { id: lesson, title } = lessonOf(suite)
    if (this.#lessonsStarted.has(lesson)) return
    this.#lessonsStarted.add(lesson)
    this.#tell({ type: "lesson started", lesson, title })
  }

  onTestCaseReady(test: TestCase): void {
    if (test.result().state === "skipped") return // It was not chosen, and does not start.
    this.#tell({ type: "outcome started", ...nameOf(test) })
  }

  onTestCaseArtifactRecord(test: TestCase, artifact: TestArtifact): void {
    if (artifact.type === "byhand:event") this.#tell({ ...artifact.event, ...nameOf(test) })
  }

  onTestCaseResult(test: TestCase): void {
    this.#tell({ type: "outcome ended", ...nameOf(test), result: outcomeResultOf(test, this.#settings) })
  }

  onUserConsoleLog({ content }: UserConsoleLog): void {
    this.#tell({ type: "output", text: content })
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const result = this.#resultOf(modules, errors)
    if (exitStatusOf(result) !== 0) process.exitCode = 1
    this.#tell({ type: "run ended", result })
  }

  onWatcherStart(): void {
    this.#tell({ type: "waiting for changes" })
  }

  #resultOf(modules: readonly TestModule[], errors: readonly SerializedError[]): RunResult {
    const { kubernetes: chosen, subject: folder, host } = this.#settings
    const lessons = modules.flatMap((module) =>
      [...module.children.suites()].map((suite): LessonResult =>
        lessonResultOf(
          lessonOf(suite),
          [...suite.children.allTests()].map((test) => outcomeResultOf(test, this.#settings)),
        ),
      ),
    )
    const faults = [
      ...modules.flatMap((module) =>
        module.errors().map((error) => faultOf(error, relative(this.#vitest?.config.root ?? "", module.moduleId))),
      ),
      ...errors.map((error) => faultOf(error, null)),
    ]
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const kubernetes = tests.map((test) => test.meta().kubernetes).find((found) => found !== undefined) ?? chosen
    const subject = folder ?? host ?? null
    const identifiers = tests.map((test) => test.meta().identifiers).find((found) => found !== undefined)
    return runResultOf(
      {
        kubernetes,
        subject,
        milliseconds: Date.now() - this.#startedAt,
        ...(identifiers && { identifiers: [...identifiers] }),
      },
      lessons,
      faults,
    )
  }
}

/** A lesson is a suite whose name is its number and its title, such as "03 every object is a key in etcd". */
function lessonOf({ name }: TestSuite): Pick<LessonResult, "id" | "title"> {
  return { id: name.slice(0, 2), title: name.slice(3) }
}

function nameOf(test: TestCase): OutcomeName {
  return { lesson: test.parent.type === "suite" ? lessonOf(test.parent).id : "", title: test.name }
}

function outcomeResultOf(test: TestCase, settings: Settings): OutcomeResult {
  const { evidence, card, see, standIns = [] } = test.meta()
  const { lesson, title } = nameOf(test)
  const { verdict, reason, message } = judge(test)
  return {
    id: `${lesson}-${title
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^-|-$/g, "")}`,
    title,
    verdict,
    counts: isFailure(verdict, { lesson, title }, settings),
    reason,
    finding: card?.finding?.id ?? null,
    evidence: card?.finding?.evidence ?? evidence ?? null,
    see: see ?? null,
    milliseconds: Math.round(test.diagnostic()?.duration ?? 0),
    message,
    card: card ?? null,
    standIns: standIns.map(({ component, reason }) => ({ component, reason })),
  }
}

/** vitest knows passed, failed and skipped; the note of a skipped test says why the lesson skipped it. */
function judge(test: TestCase): { verdict: Verdict; reason: string | null; message: string | null } {
  const result = test.result()
  if (result.state === "passed") return { verdict: "passed", reason: null, message: null }
  if (result.state === "failed") {
    const message = result.errors.map((error) => error.message).join("\n")
    return { verdict: "failed", reason: message.split("\n")[0] ?? "", message }
  }
  const note = (result.state === "skipped" ? result.note : undefined) ?? null
  const told = (["blocked", "cannot check here", "not started"] as const).find((verdict) => note?.startsWith(verdict))
  return { verdict: told ?? "not chosen", reason: note, message: null }
}

function faultOf({ message, stack }: SerializedError, file: string | null): Fault {
  return { file, message, stack: stack ?? null }
}

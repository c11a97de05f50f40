import { VerboseReporter, type TestCase, type TestModule, type TestSpecification, type Vitest } from "vitest/node"
import { cardLines } from "./card.ts"
import { lessonOf, verdictOf } from "./verdict.ts"

/** vitest's own lines, below each test what to type to see the same, and at the end a card for each test that failed. */
export class TypedLines extends VerboseReporter {
  readonly #failed: TestCase[] = []

  /** Nothing is said of a run before it may start. */
  override onInit(vitest: Vitest): void {
    this.ctx = vitest
  }

  override onTestRunStart(specifications: readonly TestSpecification[]): void {
    super.onInit(this.ctx)
    super.onTestRunStart(specifications)
  }

  override onTestCaseResult(test: TestCase): void {
    const { see, card } = test.meta()
    if (card !== undefined) this.#failed.push(test)
    if (verdictOf(test).verdict === "blocked") return // A line for each says no more than the table does.
    super.onTestCaseResult(test)
    if (card !== undefined) return
    if (see !== undefined && test.result().state !== "skipped") this.log(`     $ ${see}`)
  }

  /** Cards tell a learner more than stack traces do; for whatever has none, vitest's own summary stays. */
  override reportSummary(...[files, errors]: Parameters<VerboseReporter["reportSummary"]>): void {
    for (const test of this.#failed) for (const line of lines(test)) this.log(line)
    const isOtherwiseFine = errors.length === 0 && this.ctx.state.getTestModules().every(hasCards)
    if (isOtherwiseFine) this.reportTestSummary(files, errors, 0)
    else super.reportSummary(files, errors)
  }
}

function lines(test: TestCase): string[] {
  const { card, see } = test.meta()
  if (card === undefined) return []
  const lesson = lessonOf(test)
  return ["", ` ✗ ${lesson} ${test.name}`, ...cardLines(card, lesson, see)]
}

/** Whether a card tells of all that went wrong in a file. */
function hasCards(module: TestModule): boolean {
  return (
    module.errors().length === 0 &&
    [...module.children.allTests("failed")].every((test) => test.meta().card !== undefined)
  )
}

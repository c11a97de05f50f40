import { VerboseReporter, type TestCase } from "vitest/node"

/** vitest's own lines, and below each test what to type to see the same. */
export class TypedLines extends VerboseReporter {
  override onTestCaseResult(test: TestCase): void {
    super.onTestCaseResult(test)
    const { see } = test.meta()
    if (see !== undefined && test.result().state !== "skipped") this.log(`     $ ${see}`)
  }
}

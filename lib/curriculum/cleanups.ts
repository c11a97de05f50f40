/** Steps that restore what a test changed. They run in reverse order. If one fails, the others still run. */
export class Cleanups {
  readonly #steps: (() => unknown)[] = []

  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /**
   * Runs all steps once, the last added first.
   * @throws the first error of a step, after all steps have run
   */
  async run(): Promise<void> {
    const errors: unknown[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}

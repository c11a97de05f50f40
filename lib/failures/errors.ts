import { RemediedError } from "../base/errors.ts"
import { describe } from "./describe.ts"
import type { Failure } from "./failure.ts"

/** An error that carries a Failure. Its message is built from the failure, the cause and the remedy. */
export class FailureError<Kind extends Failure = Failure> extends RemediedError {
  readonly failure: Kind

  /** @param cause a clause that names the cause; undefined if the cause is not known */
  constructor(failure: Kind, remedy: string, options?: ErrorOptions, cause?: string) {
    super(`${describe(failure)}${cause === undefined ? "" : `: ${cause}`}.`, remedy, options)
    this.failure = failure
  }
}

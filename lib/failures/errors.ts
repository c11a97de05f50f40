import { RemediedError } from "../base/errors.ts"
import { describe } from "./describe.ts"
import type { Failure } from "./failure.ts"

/** An error that carries what went wrong as data; its message is built from that. */
export class FailureError<Kind extends Failure = Failure> extends RemediedError {
  readonly failure: Kind

  /** @param cause a clause that says why, where that is known */
  constructor(failure: Kind, remedy: string, options?: ErrorOptions, cause?: string) {
    super(`${describe(failure)}${cause === undefined ? "" : `: ${cause}`}.`, remedy, options)
    this.failure = failure
  }
}

import waitOn from "wait-on"
import { FailureError } from "../failures/errors.ts"
import type { NoAnswer } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"

/** A web server did not answer with status 200 before the timeout. */
class NoAnswerError extends FailureError<NoAnswer> {}

/**
 * Waits until a web server on the machine answers with status 200.
 * @param timeout milliseconds
 * @throws NoAnswerError
 */
export async function serves(machine: Machine, host: string, port: number, timeout: number): Promise<void> {
  await using forward = await machine.forward(port, host)
  try {
    await waitOn({ resources: [`http-get://${forward.address}/`], interval: 50, timeout })
  } catch (error) {
    throw new NoAnswerError(
      { kind: "no-answer", url: `http://${host}:${port}/`, waited: timeout },
      `Try it on the machine: curl -i http://${host}:${port}/`,
      { cause: error },
    )
  }
}

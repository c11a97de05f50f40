import waitOn from "wait-on"
import { FailureError } from "../failures/errors.ts"
import type { NoAnswer } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"
import { until } from "./until.ts"

/** How long wait-on waits before the wait looks again whether the answer can still come (milliseconds). */
const ATTEMPT = 2_000

/** A web server did not answer with status 200. */
class NoAnswerError extends FailureError<NoAnswer> {}

/**
 * Waits until a web server on the machine answers with status 200.
 * @throws NoAnswerError
 */
export async function serves(machine: Machine, host: string, port: number): Promise<void> {
  const url = `http://${host}:${port}/`
  const began = performance.now()
  await using forward = await machine.forward(port, host)
  await until(async () => {
    await waitOn({ resources: [`http-get://${forward.address}/`], interval: 50, timeout: ATTEMPT }).catch(
      (error: unknown) => {
        const failure = { kind: "no-answer" as const, url, waited: performance.now() - began }
        throw new NoAnswerError(failure, `Try it on the machine: curl -i ${url}`, { cause: error })
      },
    )
  })
}

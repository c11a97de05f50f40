import { httpGet } from "../clients/http-get.ts"
import { FailureError } from "../failures/errors.ts"
import type { NoAnswer } from "../failures/failure.ts"
import type { Machine } from "../machines/machine.ts"
import { until } from "./until.ts"

/** The timeout of one request (milliseconds). */
const LONGEST_REQUEST = 2_000

/** A web server did not answer with status 200. */
class NoAnswerError extends FailureError<NoAnswer> {}

/**
 * Waits until a web server on the machine answers with status 200.
 * @throws NoAnswerError
 */
export async function serves(machine: Machine, host: string, port: number): Promise<void> {
  const url = `http://${host}:${port}/`
  const began = performance.now()
  await until(async () => {
    const error = await httpGet(machine, { host, port, path: "/", timeout: LONGEST_REQUEST }).then(
      ({ status, body }) => (status === 200 ? undefined : new Error(`${status}: ${body.slice(0, 200)}`)),
      (refused: unknown) => refused,
    )
    if (error === undefined) return
    const failure = { kind: "no-answer" as const, url, waited: performance.now() - began }
    throw new NoAnswerError(failure, `Try it on the machine: curl -i ${url}`, { cause: error })
  })
}

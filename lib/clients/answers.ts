import waitOn from "wait-on"
import { RemediedError } from "../base/errors.ts"
import type { Machine } from "../machines/machine.ts"

/** Nobody answered with 200 in the time that was given. */
export class NoAnswerError extends RemediedError {}

/**
 * Waits until a web server on the machine answers with 200.
 * @param timeout milliseconds
 */
export async function answers(machine: Machine, host: string, port: number, timeout: number): Promise<void> {
  await using forward = await machine.forward(port, host)
  try {
    await waitOn({ resources: [`http-get://${forward.address}/`], interval: 50, timeout })
  } catch (error) {
    throw new NoAnswerError(
      `http://${host}:${port}/ did not answer with 200 within ${timeout} ms.`,
      `Try it on the machine: curl -i http://${host}:${port}/`,
      { cause: error },
    )
  }
}

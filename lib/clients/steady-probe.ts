import { setTimeout as sleep } from "node:timers/promises"

/** The number of requests that were answered and that were lost. */
export interface Tally {
  readonly answered: number
  readonly lost: number
}

/** Sends one request after another until it is stopped, and counts the answers. */
export function steadyProbe(
  ask: () => Promise<{ status: number }>,
): AsyncDisposable & { tally: Tally; stop: () => Promise<Tally> } {
  const PAUSE = 10 // Milliseconds.
  const tally = { answered: 0, lost: 0 }
  let stopped = false
  const asking = (async () => {
    while (!stopped) {
      const answer = await ask().catch(() => ({ status: 0 })) // A request that fails counts as lost.
      tally[answer.status === 200 ? "answered" : "lost"] += 1
      await sleep(PAUSE)
    }
  })()
  const stop = async () => {
    stopped = true
    await asking
    return tally
  }
  return {
    tally,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

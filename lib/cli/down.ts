import { readFile } from "node:fs/promises"
import { setTimeout as sleep } from "node:timers/promises"
import { RemediedError, UsageError } from "../base/errors.ts"
import { isAlive } from "../machines/identity.ts"
import { settingsOf, type ClusterOptions, type Outcome } from "./options.ts"
import { relayOf, theRun } from "./runs.ts"

/** How long the relay may take to end after its machine, and the time between two checks (milliseconds). */
const TIME_TO_END = 10_000
const POLL_INTERVAL = 10

/** The relay still runs although its machine has ended. */
class RelayStillRunsError extends RemediedError {}

/**
 * Ends a cluster. Returns when nothing of it is left.
 * @throws UsageError if no cluster of this name is up or its command still runs, RelayStillRunsError if its relay does not end
 */
export async function down(options: ClusterOptions): Promise<Outcome> {
  const { name, machine, folder, owner } = await theRun(settingsOf(options), options)
  if (owner !== undefined)
    throw new UsageError(
      `Process ${owner} has started the machine ${name} and still uses it.`,
      `Wait for it, or end it with: kill ${owner}`,
    )
  const relay = await readFile(relayOf(folder), "utf8").catch(() => "") // An empty machine has no relay.
  await machine.close()
  await relayEnded(relay)
  return { text: `${name} is down; nothing of it is left.\n`, data: { name, down: true } }
}

/**
 * Waits until the relay has ended. It ends by itself when its machine ends, unless it is stopped or hangs.
 * @param identity empty if there is no relay
 */
async function relayEnded(identity: string): Promise<void> {
  const deadline = performance.now() + TIME_TO_END
  while (isAlive(identity)) {
    if (performance.now() > deadline) {
      const pid = identity.split(" ")[0]
      throw new RelayStillRunsError(
        `The machine has ended, but its relay, process ${pid}, still runs after ${TIME_TO_END / 1000} s.`,
        `End it with: kill -9 ${pid}`,
      )
    }
    await sleep(POLL_INTERVAL)
  }
}

import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { AgentMachine, shutdown } from "./agent-machine.ts"
import { isAlive } from "./identity.ts"
import { ADDRESS, RunNetwork, type Reach } from "./network.ts"
import type { Attached } from "./provider.ts"
import { LeftoverError } from "./run-folder.ts"

/** Milliseconds between two checks whether the supervisor has ended. */
const POLL_INTERVAL = 20

/**
 * Gives this process access to the machine in a run's folder, which another process started. Undefined if its
 * supervisor has ended.
 */
export async function attachTo(folder: string, reach: Reach, enter: Attached["enter"]): Promise<Attached | undefined> {
  const read = (file: string) => readFile(join(folder, file), "utf8").catch(() => "")
  const supervisor = await read("supervisor")
  if (supervisor === "" || !isAlive(supervisor)) return undefined
  const name = (await read("name")).trim() || basename(folder)
  const end = async () => {
    shutdown(reach.dial)
    while (isAlive(supervisor)) await sleep(POLL_INTERVAL)
    if (existsSync(folder))
      throw new LeftoverError(
        `The supervisor of ${name} was killed before it had removed ${folder}.`,
        "The next machine that starts removes it.",
      )
  }
  const machine = new AgentMachine({ name, address: ADDRESS, ...reach, end })
  return {
    machine,
    network: new RunNetwork(machine, reach),
    folder,
    // A connection without a request stays open until the machine ends.
    whenEnded: () =>
      new Promise((ended) => {
        reach
          .dial()
          .on("error", () => undefined)
          .on("close", () => ended())
      }),
    enter,
  }
}

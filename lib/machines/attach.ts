import { existsSync, readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Settings } from "../base/settings.ts"
import { AgentMachine, shutdown } from "./agent-machine.ts"
import { doorOf } from "./container/door.ts"
import { dialLine } from "./container/line.mts"
import { isAlive } from "./identity.ts"
import { LeftoverError } from "./run-folder.ts"
import { NEEDS_ROOT, socketOf } from "./sandbox.ts"
import { ADDRESS } from "./started.ts"

/** The running machine in a run's folder, or undefined where there is none. */
export async function attachMachine(
  { runsDir }: Settings,
  id: string,
): Promise<{ machine: AgentMachine; folder: string } | undefined> {
  const folder = join(runsDir, id)
  const read = (file: string) => readFile(join(folder, file), "utf8").catch(() => "")
  const supervisor = await read("supervisor")
  if (supervisor === "" || !isAlive(supervisor)) return undefined
  const name = (await read("name")).trim() || id
  const dial = dialerOf(folder)
  const end = async () => {
    shutdown(dial)
    while (isAlive(supervisor)) await sleep(20)
    if (existsSync(folder))
      throw new LeftoverError(
        `The supervisor of ${name} was killed before it had removed ${folder}.`,
        "The next machine to start does.",
      )
  }
  return { machine: new AgentMachine({ name, address: ADDRESS, lacks: lacksOf(folder), dial, end }), folder }
}

/** How the agent of the machine in a run's folder is reached: through its socket, or the door of its container. */
export function dialerOf(folder: string): () => Socket {
  const door = doorOf(folder)
  return door === undefined ? () => connect(socketOf(folder)) : () => dialLine(door)
}

function lacksOf(folder: string): string | undefined {
  const door = doorOf(folder)
  if (door !== undefined) return door.lacks
  return readFileSync(join(folder, "mode"), "utf8").trim() === "root" ? undefined : NEEDS_ROOT
}

import { join } from "node:path"
import { UsageError } from "../base/errors.ts"
import type { MachineName } from "./network.ts"

/**
 * The largest number of bytes that the kernel allows in the path of a socket (man 7 unix), without the 0 at the end.
 */
const LONGEST_PATH = 107

/** The socket of the agent of a machine in a run's folder. The path of the first machine's is not the shortest. */
export function socketOf(folder: string, name: MachineName | "agent.sock" = "agent.sock"): string {
  return join(folder, "socket", name)
}

/**
 * Checks that the path of a machine's socket is short enough for the kernel.
 * @param id the name of the run's folder in runsDir, or a name of the same length
 * @throws UsageError with the number of bytes that runsDir may have
 */
export function checkSocketLength(runsDir: string, id: string): void {
  const length = Buffer.byteLength(socketOf(join(runsDir, id)))
  if (length <= LONGEST_PATH) return
  throw new UsageError(
    `BYHAND_RUNS=${runsDir} is too long: the folder contains the socket of a machine, and the kernel limits the length of a socket's path.`,
    `Choose a folder whose path has at most ${LONGEST_PATH - (length - Buffer.byteLength(runsDir))} bytes.`,
  )
}

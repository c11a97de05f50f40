import { mkdir, statfs, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { RemediedError } from "../base/errors.ts"
import type { Settings } from "../base/settings.ts"
import { identify } from "./identity.ts"

/** A machine could not be made. */
export class MachineStartError extends RemediedError {}

/** A machine has ended, but its folder is still there. */
export class LeftoverError extends RemediedError {}

/** Megabytes that a machine's disk must have free: etcd sets 64 aside before it says a word, and logs come on top. */
const ROOM = 128

/** Where a run keeps what is its own, and where its logs go once it has ended. */
export interface RunFolder {
  readonly folder: string
  /** Those of the last ten runs are kept. */
  readonly logs: string
}

/**
 * Makes a run's folder, and writes down whose it is.
 * @param files what else lies in it, by name
 * @throws MachineStartError where the disk is full
 */
export async function makeRunFolder(
  { runsDir, cacheDir }: Settings,
  id: string,
  files: Readonly<Record<string, string>>,
): Promise<RunFolder> {
  const [folder, logs] = [join(runsDir, id), join(cacheDir, "logs")]
  await mkdir(runsDir, { recursive: true, mode: 0o700 })
  await checkRoom(runsDir)
  await mkdir(logs, { recursive: true }) // Made here, so that it is this user's, not root's.
  await mkdir(folder, { mode: 0o700 })
  await writeFile(join(folder, "owner"), identify(process.pid))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 })
  return { folder, logs: join(logs, id) }
}

/** On a full disk everything fails, each thing with words of its own, and none can be logged. */
async function checkRoom(folder: string): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder)
  const free = Math.floor((bavail * bsize) / 2 ** 20)
  if (blocks === 0 || free >= ROOM) return // A file system without blocks has no limit.
  throw new MachineStartError(
    `The disk of BYHAND_RUNS=${folder} is full: ${free} MB are free, a machine takes ${ROOM}.`,
    "Make room there, or set BYHAND_RUNS to a folder on another disk.",
  )
}

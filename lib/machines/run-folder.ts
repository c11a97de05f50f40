import { mkdir, statfs, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { RemediedError } from "../base/errors.ts"
import type { Settings } from "../base/settings.ts"
import { identify } from "./identity.ts"

/** A machine could not be started. */
export class MachineStartError extends RemediedError {}

/** A machine has ended, but its run's folder is still there. */
export class LeftoverError extends RemediedError {}

/** Megabytes that must be free for a machine: etcd allocates 64 MB when it starts, and logs need room too. */
const ROOM = 128

/** The folder of a run, and the folder that keeps its logs after its end. */
export interface RunFolder {
  readonly folder: string
  /** The logs of the last ten runs are kept. */
  readonly logs: string
}

/**
 * Makes a run's folder and writes the file "owner": the identity of this process.
 * @param files other files to write into the folder: name and content
 * @throws MachineStartError if the disk is full
 */
export async function makeRunFolder(
  { runsDir, cacheDir }: Settings,
  id: string,
  files: Readonly<Record<string, string>>,
): Promise<RunFolder> {
  const [folder, logs] = [join(runsDir, id), join(cacheDir, "logs")]
  await mkdir(runsDir, { recursive: true, mode: 0o700 })
  await checkRoom(runsDir)
  await mkdir(logs, { recursive: true }) // The folder is made here, so that it belongs to this user and not to root.
  await mkdir(folder, { mode: 0o700 })
  await writeFile(join(folder, "owner"), identify(process.pid))
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content, { mode: 0o600 })
  return { folder, logs: join(logs, id) }
}

/**
 * Checks the free space first. On a full disk, each program fails with a different message, and no program can write
 * its log.
 */
async function checkRoom(folder: string): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder)
  const free = Math.floor((bavail * bsize) / 2 ** 20)
  if (blocks === 0 || free >= ROOM) return // A file system without a limit reports 0 blocks.
  throw new MachineStartError(
    `The disk of BYHAND_RUNS=${folder} is full: ${free} MB are free, and a machine needs ${ROOM} MB.`,
    "Make room there, or set BYHAND_RUNS to a folder on another disk.",
  )
}

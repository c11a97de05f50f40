import { accessSync, constants, mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { checkNamedFolder } from "../binaries/folder.ts"
import { releaseFor } from "../binaries/versions.ts"
import { messageOf, problemOf, UsageError } from "../base/errors.ts"
import { choosePrivilege, PrivilegeError } from "../base/privilege.ts"
import { checkSocketLength } from "./socket.ts"
import type { Settings } from "../base/settings.ts"

/** On other systems, machines are containers, and their programs do not run directly on this host. */
const isLinux = process.platform === "linux"

/** A folder to which a run writes, and the setting that names it. */
interface WritableFolder {
  readonly title: string
  readonly variable: string
  readonly folder: string
  readonly mode: number
}

/**
 * Checks the settings that a run needs to start. Makes no folder except the cache, which vitest writes to early.
 * @param run the name of the run's folder, or a name of the same length
 * @throws UsageError
 */
export async function admit(settings: Settings, run: string): Promise<void> {
  releaseFor(settings.kubernetes)
  if (isLinux) checkRunsDir(settings.runsDir, run)
  await checkPrivilege(settings)
  const cache = cacheOf(settings)
  for (const each of [runsOf(settings), cache]) usable(each, () => checkWritable(each.folder))
  if (isLinux) await checkNamedFolder(settings) // On other systems, this host cannot run the programs in that folder.
  usable(cache, () => makeFolder(cache.folder, cache.mode))
}

/** Makes the folder that contains the folders of all runs. @throws UsageError if the folder cannot be made */
export function makeRunsDir(settings: Settings): void {
  const runs = runsOf(settings)
  usable(runs, () => makeFolder(runs.folder, runs.mode))
}

function runsOf({ runsDir }: Settings): WritableFolder {
  return { title: "runs", variable: "BYHAND_RUNS", folder: runsDir, mode: 0o700 }
}

function cacheOf({ cacheDir }: Settings): WritableFolder {
  return { title: "the cache", variable: "BYHAND_CACHE", folder: cacheDir, mode: 0o755 }
}

function checkRunsDir(runsDir: string, run: string): void {
  if (runsDir.includes(",")) {
    throw new UsageError(
      `BYHAND_RUNS=${runsDir} must not contain a comma: mount reads a comma as the end of a path.`,
      "Choose another folder.",
    )
  }
  checkSocketLength(runsDir, run)
}

async function checkPrivilege({ machine, privilege, image }: Settings): Promise<void> {
  if (machine === "sandbox" && image !== undefined)
    throw new UsageError(
      "BYHAND_IMAGE names the image of a container, but BYHAND_MACHINE=sandbox asks for no container.",
      "Unset one of them.",
    )
  if (machine === "container" && privilege === "sudo")
    throw new UsageError(
      "BYHAND_PRIVILEGE=sudo works with a sandbox only: the engine starts containers with its own privileges.",
      "Unset BYHAND_PRIVILEGE.",
    )
  // With auto, the available privilege is used. An engine shows the privileges that it grants only when it starts a
  // container.
  if (machine === "container" || privilege === "auto") return
  if (privilege === "privileged" && machine === "auto") return
  await choosePrivilege(privilege).catch((error: unknown) => {
    throw error instanceof PrivilegeError ? new UsageError(problemOf(error), error.remedy) : error
  })
}

function usable({ title, variable, folder }: WritableFolder, attempt: () => void): void {
  try {
    attempt()
  } catch (error) {
    throw new UsageError(
      `${folder}, the folder for ${title}, cannot be written to: ${messageOf(error)}.`,
      `Make it writable, or name another folder in ${variable}.`,
      { cause: error },
    )
  }
}

/** Checks that the folder can be written to. If it does not exist, checks the nearest parent folder that exists. */
function checkWritable(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return checkWritable(dirname(folder))
  accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
}

/**
 * Makes a folder and its parent folders. Node's own option `recursive` never ends in a folder that accepts no new
 * folder, such as /proc.
 */
function makeFolder(folder: string, mode: number): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
  makeFolder(dirname(folder), 0o755)
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error // Another run has made the folder in the meantime.
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined
}

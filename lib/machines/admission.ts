import { accessSync, constants, mkdirSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { checkNamedFolder } from "../binaries/folder.ts"
import { releaseFor } from "../binaries/versions.ts"
import { messageOf, problemOf, UsageError } from "../base/errors.ts"
import { choosePrivilege, PrivilegeError } from "../base/privilege.ts"
import { checkSocketLength } from "./socket.ts"
import type { Settings } from "../base/settings.ts"

/** Elsewhere machines are containers, and nothing of theirs runs on this host. */
const isLinux = process.platform === "linux"

/** A folder that a run writes to. */
interface Place {
  readonly title: string
  readonly variable: string
  readonly folder: string
  readonly mode: number
}

/**
 * Refuses settings that a run could not start with. Makes no folder but the cache, which vitest writes to early.
 * @param run name of the run's folder, or one that is as long
 * @throws UsageError
 */
export async function admit(settings: Settings, run: string): Promise<void> {
  releaseFor(settings.kubernetes)
  if (isLinux) checkRunsDir(settings.runsDir, run)
  await checkPrivilege(settings)
  const cache = cacheOf(settings)
  for (const place of [runsOf(settings), cache]) usable(place, () => checkWritable(place.folder))
  if (isLinux) await checkNamedFolder(settings) // Elsewhere its programs cannot be asked.
  usable(cache, () => makeFolder(cache.folder, cache.mode))
}

/** Makes the folder that runs have theirs in. @throws UsageError where it cannot be made, which only making it shows */
export function makeRunsDir(settings: Settings): void {
  const runs = runsOf(settings)
  usable(runs, () => makeFolder(runs.folder, runs.mode))
}

function runsOf({ runsDir }: Settings): Place {
  return { title: "runs", variable: "BYHAND_RUNS", folder: runsDir, mode: 0o700 }
}

function cacheOf({ cacheDir }: Settings): Place {
  return { title: "the cache", variable: "BYHAND_CACHE", folder: cacheDir, mode: 0o755 }
}

function checkRunsDir(runsDir: string, run: string): void {
  if (runsDir.includes(",")) {
    throw new UsageError(
      `BYHAND_RUNS=${runsDir} must not hold a comma: mount takes it for the end of a path.`,
      "Choose another folder.",
    )
  }
  checkSocketLength(runsDir, run)
}

async function checkPrivilege({ machine, privilege, image }: Settings): Promise<void> {
  if (machine === "sandbox" && image !== undefined)
    throw new UsageError(
      "BYHAND_IMAGE is for containers, and BYHAND_MACHINE=sandbox asks for none.",
      "Unset one of them.",
    )
  if (machine === "container" && privilege === "sudo")
    throw new UsageError(
      "BYHAND_PRIVILEGE=sudo is for a sandbox: an engine makes containers as whom it runs itself.",
      "Unset it.",
    )
  if (machine === "container" || privilege === "auto") return // Something can be had always; an engine is asked for the rest.
  if (privilege === "privileged" && machine === "auto") return
  await choosePrivilege(privilege).catch((error: unknown) => {
    throw error instanceof PrivilegeError ? new UsageError(problemOf(error), error.remedy) : error
  })
}

function usable({ title, variable, folder }: Place, attempt: () => void): void {
  try {
    attempt()
  } catch (error) {
    throw new UsageError(
      `${folder}, where ${title} should be, cannot be written to: ${messageOf(error)}.`,
      `Put that right, or name another folder in ${variable}.`,
      { cause: error },
    )
  }
}

/** Whether the folder can be written to, or made where the nearest that there is can. */
function checkWritable(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return checkWritable(dirname(folder))
  accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
}

/** Makes a folder and those above it. mkdir's own recursion never ends where a folder takes nothing new, such as /proc. */
function makeFolder(folder: string, mode: number): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
  makeFolder(dirname(folder), 0o755)
  try {
    mkdirSync(folder, { mode })
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error // Another run was quicker.
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined
}

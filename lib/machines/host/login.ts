import { readdirSync, readFileSync, rmSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Settings } from "../../base/settings.ts"
import { identify, isAlive } from "../identity.ts"
import { linkTo, login } from "./link.ts"
import { answerFrom, askForSudo, terminalAsk, type AskSecret } from "./sudo.ts"
import type { HostTarget } from "./target.ts"

/** The beginning of the name of a folder of this kind in BYHAND_RUNS. */
const PREFIX = "host-"
/** The file with the identity of the process that uses the folder. */
const OWNER = "owner"

/** A login to a host, and the folder through whose sockets other processes of the run use it. */
export interface HostLogin extends AsyncDisposable {
  readonly folder: string
}

/**
 * Makes a folder for this run that only this user can enter, and logs in to a host. The folder also gets copies of the
 * host's credentials. It is removed at the end, or by the next run if this process is killed.
 * @param ask asks for the password of sudo there; by default the file of the settings answers, or a person on the
 *   terminal, if there is one. Without it, the host is looked at without root if sudo demands a password
 * @throws HostError that says what to type
 */
export async function loginTo(
  target: HostTarget,
  settings: Pick<Settings, "runsDir" | "sudoFile">,
  ask: AskSecret | undefined = settings.sudoFile === undefined ? terminalAsk() : answerFrom(settings.sudoFile),
): Promise<HostLogin> {
  const { runsDir } = settings
  removeOldLogins(settings)
  const folder = await mkdtemp(join(runsDir, PREFIX)) // Its mode is 0700.
  await writeFile(join(folder, OWNER), identify(process.pid))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once("exit", remove)
  const opened = await login(target, folder).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  if (ask !== undefined)
    await askForSudo(linkTo(target, folder), folder, ask).catch(async (error: unknown) => {
      await opened[Symbol.asyncDispose]()
      remove()
      throw error
    })
  return {
    folder,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]()
      remove()
      process.off("exit", remove)
    },
  }
}

/** Removes the folders of processes that were killed. Several processes can do this at the same time. */
export function removeOldLogins({ runsDir }: Pick<Settings, "runsDir">): void {
  for (const name of readdirSync(runsDir).filter((one) => one.startsWith(PREFIX))) {
    const owner = ownerOf(join(runsDir, name))
    if (owner === undefined || isAlive(owner)) continue
    // Another process can be removing the same folder.
    rmSync(join(runsDir, name), { recursive: true, force: true, maxRetries: 3 })
  }
}

/** undefined if the folder is being made, or was removed just now. */
function ownerOf(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, OWNER), "utf8")
  } catch {
    return undefined
  }
}

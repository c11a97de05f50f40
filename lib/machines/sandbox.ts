import { randomBytes } from "node:crypto"
import { existsSync, statSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { packageRoot, type Settings } from "../base/settings.ts"
import { AgentMachine } from "./agent-machine.ts"
import { ORDINARY_LIMITS, overAfter } from "./limits.ts"
import { choosePrivilege, type Privilege } from "../base/privilege.ts"
import { MachineStartError, makeRunFolder } from "./run-folder.ts"
import { ADDRESS, RunNetwork, type Reach } from "./network.ts"
import type { MachineOptions, Started } from "./provider.ts"
import { ask } from "./requests.mts"
import { checkSocketLength, socketOf } from "./socket.ts"
import { supervise } from "./supervised.ts"
import { SETTINGS_FILE, settingsText, type SupervisorSettings } from "./supervisor-settings.ts"

/** A sandbox that has started, and the privilege with which it was started. */
export interface Sandbox extends Started {
  readonly privilege: Privilege
}

/** The folders with the programs for machines: the compiled agent, and the shell scripts. */
export const agentFolder = join(packageRoot, "dist", "machines", "agent")
export const scriptsFolder = join(packageRoot, "lib", "machines")

/** What a machine in a user namespace lacks to run containers. */
export const NEEDS_ROOT = "needs root"

/**
 * Starts a machine made of Linux namespaces (man 7 namespaces). It changes nothing on the host. When it ends, all its
 * processes end. A supervisor process beside it detects when this process ends, and cleans up.
 * @throws MachineStartError with the error message of the kernel or of sudo
 */
export async function startSandbox({
  name,
  binds,
  settings,
  id = `${name}-${randomBytes(3).toString("hex")}`,
  limits: given,
}: MachineOptions & { readonly settings: Settings }): Promise<Sandbox> {
  checkIsBuilt(join(agentFolder, "agent.mjs"), join(scriptsFolder, "agent", "agent.mts"))
  const privilege = await choosePrivilege(settings.privilege)
  checkSocketLength(settings.runsDir, id)
  const run = join(settings.runsDir, id)
  const mode = privilege === "user" ? "user" : "root"
  const limits = { ...ORDINARY_LIMITS, ...given }
  const { folder, logs } = await makeRunFolder(settings, id, {
    binds: binds.map(({ source, target }) => `${source}\t${target}\n`).join(""),
    mode,
    name,
    [SETTINGS_FILE]: settingsText({
      run,
      name,
      mode,
      node: process.execPath,
      agent: agentFolder,
      scripts: scriptsFolder,
      owner: privilege === "sudo" ? String(process.getuid?.()) : "",
      logs: join(settings.cacheDir, "logs"),
      limits,
    }),
  })

  const command = [
    ...(mode === "root" ? ["unshare", "--mount", "--propagation", "slave"] : []),
    "sh",
    join(scriptsFolder, "supervisor.sh"),
    join(folder, SETTINGS_FILE),
  ]
  const whyEnded = overAfter(limits.seconds)
  const { end, detach } = await supervise(
    [...(privilege === "sudo" ? ["sudo", "-n"] : []), ...command],
    (complaints) =>
      new MachineStartError(
        `A machine of namespaces could not be made here: ${whyEnded() ?? (complaints || "its first process ended at once")}.`,
        "npx byhand doctor says what this host can run and what to change.",
      ),
  )
  const reach = reachOf(folder, mode)
  const machine = new AgentMachine({ name, address: ADDRESS, ...reach, end, whyEnded })
  return { machine, network: new RunNetwork(machine, reach, whyEnded), privilege, folder, logs, detach }
}

/** How the machines of a sandbox are reached. @param folder the run's folder */
export function reachOf(folder: string, mode: SupervisorSettings["mode"]): Reach {
  return {
    lacks: mode === "root" ? undefined : NEEDS_ROOT,
    dial: (name) => connect(socketOf(folder, name)),
    ask: (words) => ask(folder, words),
  }
}

/**
 * Checks that a compiled file is not older than its source. A machine runs compiled code, while vitest reads the
 * source.
 * @throws MachineStartError if the compiled file is older or missing
 */
export function checkIsBuilt(built: string, source: string): void {
  if (!existsSync(built)) throw new MachineStartError(`${built} does not exist.`, "Build it with: npm run build")
  if (existsSync(source) && statSync(source).mtimeMs > statSync(built).mtimeMs) {
    throw new MachineStartError(`${built} is older than its source.`, "Build it again with: npm run build")
  }
}

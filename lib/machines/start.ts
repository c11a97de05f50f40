import { messageOf } from "../base/errors.ts"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import { triedWithin } from "./namespaces.ts"
import { choosePrivilege } from "./privilege.ts"
import { MachineStartError } from "./run-folder.ts"
import { startSandbox } from "./sandbox.ts"
import type { MachineOptions, Started } from "./started.ts"

/** What a machine is made of. */
export type Kind = "sandbox" | "container"

/**
 * What the settings ask for; where they leave it open, a sandbox where this host can make one, and a container otherwise.
 * @throws MachineStartError where neither is to be had, with both reasons
 */
export async function chooseKind(settings: Settings): Promise<Kind> {
  if (settings.machine !== "auto") return settings.machine
  if (settings.privilege === "privileged" || settings.image !== undefined) return "container" // What only containers have.
  const why = await whyNoSandbox(settings)
  if (why === undefined) return "sandbox"
  const { findEngine } = await import("./container/engine.ts")
  await findEngine().catch((error: unknown) => {
    throw new MachineStartError(
      `No machine can be made here. Of namespaces: ${why}. In a container: ${messageOf(error)}`,
      "npx byhand doctor says more.",
    )
  })
  return "container"
}

/** Why this host can make no sandbox; undefined where it can. */
async function whyNoSandbox(settings: Settings): Promise<string | undefined> {
  if (process.platform !== "linux") return "this is not Linux"
  const { ok, found } = await triedWithin(await choosePrivilege(settings.privilege), "mount -t tmpfs tmpfs /tmp")
  return ok ? undefined : found
}

/** Sees to it that a machine can be started: what takes long, and is told, before anything starts. @throws EngineError, MachineImageError, MachineStartError */
export async function prepareMachine(settings: Settings, progress: Progress): Promise<void> {
  if ((await chooseKind(settings)) === "sandbox") return
  const [{ findEngine, nameToTestcontainers }, { ensureImage }] = await Promise.all([
    import("./container/engine.ts"),
    import("./container/image.ts"),
  ])
  const engine = await findEngine()
  nameToTestcontainers(engine.url)
  await ensureImage(engine, settings, progress)
}

/** Starts a machine of the kind that is asked for, or can be had. @throws MachineStartError, UsageError, PrivilegeError */
export async function startMachine(options: MachineOptions): Promise<Started> {
  if ((await chooseKind(options.settings)) === "sandbox") return startSandbox(options)
  const { startContainer } = await import("./container/container.ts")
  return startContainer(options)
}

import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { packageRoot, type Settings } from "../../base/settings.ts"
import { AgentMachine } from "../agent-machine.ts"
import { ORDINARY_LIMITS, overAfter, type Limits } from "../limits.ts"
import { MachineStartError, makeRunFolder } from "../run-folder.ts"
import { checkIsBuilt } from "../sandbox.ts"
import { ADDRESS, RunNetwork } from "../network.ts"
import type { MachineOptions, Started } from "../provider.ts"
import { supervise } from "../supervised.ts"
import { reachOf } from "./reach.ts"
import { publishedPortOf } from "./published-port.ts"
import { ORDER_FILE } from "./sweep.ts"

/** Tells a keeper what to start. It is stored in the run's folder, in the file ORDER_FILE. */
export interface Order {
  readonly id: string
  readonly name: string
  readonly binds: MachineOptions["binds"]
  readonly limits: Limits
  readonly settings: Settings
}

const built = join(packageRoot, "dist", "machines", "container")
const source = join(packageRoot, "lib", "machines", "container")

/**
 * Starts a machine in a container, with testcontainers. The machine is a sandbox whose host is the container. A keeper
 * process beside the container detects when this process ends, and cleans up.
 * @throws MachineStartError with the error message of the engine
 */
export async function startContainer({
  name,
  binds,
  settings,
  id = `${name}-${randomBytes(3).toString("hex")}`,
  limits: given,
}: MachineOptions & { readonly settings: Settings }): Promise<Started> {
  checkIsBuilt(join(built, "keeper.js"), join(source, "keeper.ts"))
  checkIsBuilt(join(built, "inside.mjs"), join(source, "inside.mts"))
  const limits = { ...ORDINARY_LIMITS, ...given }
  const order: Order = { id, name, binds, limits, settings }
  const { folder, logs } = await makeRunFolder(settings, id, { name, [ORDER_FILE]: JSON.stringify(order) })
  const whyEnded = overAfter(limits.seconds)
  const { end, detach } = await supervise(
    [process.execPath, join(built, "keeper.js"), folder],
    (complaints) => new MachineStartError(whyEnded() ?? (complaints || "The keeper of the machine ended at once."), ""),
  )
  const published = publishedPortOf(folder)
  if (published === undefined)
    throw new MachineStartError(`The container of the machine ended as soon as it had started.`, "Try again.")
  const reach = reachOf(published)
  const machine = new AgentMachine({ name, address: ADDRESS, ...reach, end, whyEnded })
  return { machine, network: new RunNetwork(machine, reach, whyEnded), folder, logs, detach }
}

import { existsSync } from "node:fs"
import { readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import type { Settings } from "../../base/settings.ts"
import { isAlive } from "../identity.ts"
import type { Engine } from "./engine.ts"
import { LABELS, thisHost } from "./labels.ts"

/** The file in a run's folder that tells the keeper what to start. */
export const ORDER_FILE = "order"

/** Removes the containers, volumes and folders of this host's earlier runs whose keepers have ended. */
export async function sweep({ docker }: Engine, { runsDir }: Settings): Promise<void> {
  const mine = { label: [`${LABELS.host}=${thisHost()}`] }
  const isLeft = (labels: Readonly<Record<string, string>> | undefined) => !isAlive(labels?.[LABELS.keeper] ?? "")
  for (const { Id, Labels } of await docker.listContainers({ all: true, filters: mine })) {
    if (isLeft(Labels))
      await docker
        .getContainer(Id)
        .remove({ force: true, v: true })
        .catch(() => undefined) // Another sweep or the engine has removed it in the meantime.
  }
  const { Volumes: volumes } = await docker.listVolumes({ filters: { ...mine, dangling: ["true"] } })
  for (const { Name, Labels } of volumes)
    if (isLeft(Labels))
      await docker
        .getVolume(Name)
        .remove()
        .catch(() => undefined)

  for (const id of await readdir(runsDir).catch(() => [])) {
    const folder = join(runsDir, id)
    // The folder belongs to a sandbox. The supervisors of sandboxes remove these.
    if (!existsSync(join(folder, ORDER_FILE))) continue
    const [owner, keeper] = await Promise.all(
      ["owner", "supervisor"].map((file) => readFile(join(folder, file), "utf8").catch(() => "")),
    )
    if (!isAlive(owner ?? "") && !isAlive(keeper ?? "")) await rm(folder, { recursive: true, force: true })
  }
}

/** The number of checks whether a container has been removed, and the milliseconds between two checks. */
const TRIES = 200
const INTERVAL = 50

/** Removes a run's container and volumes, in any state. Resolves when they are removed. */
export async function removeRun({ docker }: Engine, folder: string): Promise<void> {
  const ours = { label: [`${LABELS.run}=${folder}`] }
  for (let tries = 0; tries < TRIES; tries++) {
    const containers = await docker.listContainers({ all: true, filters: ours })
    if (containers.length === 0) break
    for (const { Id } of containers)
      await docker
        .getContainer(Id)
        .remove({ force: true, v: true })
        .catch(() => undefined) // The engine is already removing it.
    await sleep(INTERVAL)
  }
  const { Volumes: volumes } = await docker.listVolumes({ filters: ours })
  for (const { Name } of volumes)
    await docker
      .getVolume(Name)
      .remove()
      .catch(() => undefined)
}

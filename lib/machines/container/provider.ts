import { join } from "node:path"
import { messageOf } from "../../base/errors.ts"
import type { Progress } from "../../base/progress.ts"
import type { Settings } from "../../base/settings.ts"
import { attachTo } from "../attach.ts"
import type { Attached, Availability, MachineProvider } from "../provider.ts"
import { startContainer } from "./container.ts"
import { findEngine, nameToTestcontainers } from "./engine.ts"
import { execIn } from "./exec.ts"
import { ensureImage } from "./image.ts"
import { INSIDE } from "./inside.ts"
import { publishedPortOf } from "./published-port.ts"
import { reachOf } from "./reach.ts"

/** Makes machines that are containers of a Docker engine. */
export function containerProvider(settings: Settings): MachineProvider {
  let availability: Promise<Availability> | undefined
  return {
    kind: "container",
    available: () => (availability ??= available()),
    prepare: (progress) => prepare(settings, progress),
    start: (options) => startContainer({ ...options, settings }),
    attach: (id) => attach(join(settings.runsDir, id)),
  }
}

function available(): Promise<Availability> {
  return findEngine().then(
    // Which capabilities the engine grants is known only when a container starts.
    () => ({ isAvailable: true, lacks: undefined }),
    (error: unknown) => ({ isAvailable: false, reason: messageOf(error) }),
  )
}

async function prepare(settings: Settings, progress: Progress): Promise<void> {
  const engine = await findEngine()
  nameToTestcontainers(engine.url)
  await ensureImage(engine, settings, progress)
}

async function attach(folder: string): Promise<Attached | undefined> {
  const published = publishedPortOf(folder)
  if (published === undefined) return undefined
  return attachTo(folder, reachOf(published), (command, on) => {
    const place = on === undefined ? INSIDE.run : `${INSIDE.run}/machines/${on}`
    return execIn(published, ["sh", `${INSIDE.scripts}/enter.sh`, place, ...command])
  })
}

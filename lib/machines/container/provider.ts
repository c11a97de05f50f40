import { join } from "node:path"
import { messageOf } from "../../base/errors.ts"
import type { Progress } from "../../base/progress.ts"
import type { Settings } from "../../base/settings.ts"
import { attachTo } from "../attach.ts"
import type { Attached, Availability, MachineProvider } from "../provider.ts"
import { INSIDE } from "./inside.ts"
import { dialLine } from "./line.mts"
import { publishedPortOf } from "./published-port.ts"

// The modules that use an engine are imported only when they are needed. They load slowly, and a sandbox does not need
// them.

/** Makes machines that are containers of a Docker engine. */
export function containerProvider(settings: Settings): MachineProvider {
  let availability: Promise<Availability> | undefined
  return {
    kind: "container",
    available: () => (availability ??= available()),
    prepare: (progress) => prepare(settings, progress),
    start: async (options) => (await import("./container.ts")).startContainer({ ...options, settings }),
    attach: (id) => attach(join(settings.runsDir, id)),
  }
}

async function available(): Promise<Availability> {
  const { findEngine } = await import("./engine.ts")
  return findEngine().then(
    // Which capabilities the engine grants is known only when a container starts.
    () => ({ isAvailable: true, lacks: undefined }),
    (error: unknown) => ({ isAvailable: false, reason: messageOf(error) }),
  )
}

async function prepare(settings: Settings, progress: Progress): Promise<void> {
  const [{ findEngine, nameToTestcontainers }, { ensureImage }] = await Promise.all([
    import("./engine.ts"),
    import("./image.ts"),
  ])
  const engine = await findEngine()
  nameToTestcontainers(engine.url)
  await ensureImage(engine, settings, progress)
}

async function attach(folder: string): Promise<Attached | undefined> {
  const published = publishedPortOf(folder)
  if (published === undefined) return undefined
  const { lacks } = published
  return attachTo(folder, { dial: () => dialLine(published), lacks }, async (command) => {
    const { execIn } = await import("./exec.ts")
    return execIn(published, ["sh", `${INSIDE.scripts}/enter.sh`, INSIDE.run, ...command])
  })
}

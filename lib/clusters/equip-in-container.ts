import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { text } from "node:stream/consumers"
import { RemediedError } from "../base/errors.ts"
import { findEngine, nameToTestcontainers } from "../machines/container/engine.ts"
import { ensureImage } from "../machines/container/image.ts"
import { LABELS, thisHost } from "../machines/container/machine-container.ts"
import { identify } from "../machines/identity.ts"
import type { Progress } from "../base/progress.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import type { Equipment } from "./equipment.ts"

/** What the lessons run could not be got ready in a container; what it said is on standard error already. */
class EquipError extends RemediedError {}

/** Where this host's folders are found in the container. */
const INSIDE = { project: "/byhand/project", cache: "/byhand/cache", binDir: "/byhand/programs" } as const

/**
 * As `equip`, for a host that is not Linux: what is run to find, verify or build programs for Linux is run there too. The
 * cache stays this host's.
 * @throws EquipError, EngineError, MachineImageError
 */
export async function equipInContainer(lesson: number, settings: Settings, progress: Progress): Promise<Equipment> {
  const engine = await findEngine()
  nameToTestcontainers(engine.url)
  const image = await ensureImage(engine, settings, progress)
  await mkdir(settings.cacheDir, { recursive: true })
  const mounts = [
    { Source: projectRoot(), Target: INSIDE.project, ReadOnly: true },
    { Source: settings.cacheDir, Target: INSIDE.cache, ReadOnly: false },
    ...(settings.binDir === undefined ? [] : [{ Source: settings.binDir, Target: INSIDE.binDir, ReadOnly: true }]),
  ]
  const environment = {
    BYHAND_KUBERNETES: settings.kubernetes,
    BYHAND_CACHE: INSIDE.cache,
    BYHAND_RUNS: "/tmp/byhand",
    ...(settings.binDir === undefined ? {} : { BYHAND_BIN_DIR: INSIDE.binDir }),
    ...(settings.mirror === undefined ? {} : { BYHAND_MIRROR: settings.mirror }),
  }
  const program = join(packageRoot, "dist", "clusters", "equip-main.js")
    .replace(projectRoot(), INSIDE.project)
    .replaceAll("\\", "/")
  const container = await engine.docker.createContainer({
    Labels: { [LABELS.keeper]: identify(process.pid).trim(), [LABELS.host]: thisHost() }, // For the next start's sweep, should it never be started.
    Image: image,
    Entrypoint: ["node", program, String(lesson)],
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    // Its input ends when this process does, and then so does it.
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: { AutoRemove: true, Mounts: mounts.map((mount) => ({ Type: "bind" as const, ...mount })) },
  })
  const streams = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
  const output = new PassThrough()
  engine.docker.modem.demuxStream(streams, output, process.stderr)
  streams.on("end", () => output.end())
  await container.start()
  const said = await text(output)
  if (!said.startsWith("{"))
    throw new EquipError("What the lessons run could not be got ready in a container.", "What it said above tells why.")
  const { binds, images } = JSON.parse(said) as Equipment // Our own program's word.
  const outside = (path: string) =>
    path.startsWith(INSIDE.binDir)
      ? join(settings.binDir ?? "", path.slice(INSIDE.binDir.length))
      : join(settings.cacheDir, path.slice(INSIDE.cache.length))
  return {
    binds: binds.map(({ source, target }) => ({ source: outside(source), target })),
    images: images && {
      pause: { ...images.pause, archive: outside(images.pause.archive) },
      nginx: { ...images.nginx, archive: outside(images.nginx.archive) },
    },
  }
}

/** The folder that has this package and what it depends on, which may lie beside it. */
function projectRoot(): string {
  const installed = /^(.*)[\\/]node_modules[\\/]/.exec(packageRoot)?.[1]
  return installed !== undefined && existsSync(join(installed, "node_modules")) ? installed : packageRoot
}

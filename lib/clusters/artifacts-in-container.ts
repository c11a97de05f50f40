import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { text } from "node:stream/consumers"
import { RemediedError } from "../base/errors.ts"
import { findEngine, nameToTestcontainers } from "../machines/container/engine.ts"
import { ensureImage } from "../machines/container/image.ts"
import { LABELS, thisHost } from "../machines/container/labels.ts"
import { identify } from "../machines/identity.ts"
import type { Progress } from "../base/progress.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import type { Artifacts, Needed } from "./artifacts.ts"

/** The artifacts could not be prepared in a container. The output of the container is already on standard error. */
class ArtifactsError extends RemediedError {}

/** The paths at which the folders of this host are mounted in the container. */
const INSIDE = { project: "/byhand/project", cache: "/byhand/cache", binDir: "/byhand/programs" } as const

/**
 * Runs `prepareArtifacts` in a container, for a host that is not Linux. To find, verify or build the programs, Linux
 * programs must run. The cache stays on this host.
 * @throws ArtifactsError, EngineError, MachineImageError
 */
export async function prepareArtifactsInContainer(
  names: readonly Needed[],
  settings: Settings,
  progress: Progress,
): Promise<Artifacts> {
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
  const program = join(packageRoot, "dist", "clusters", "artifacts-main.js")
    .replace(projectRoot(), INSIDE.project)
    .replaceAll("\\", "/")
  const container = await engine.docker.createContainer({
    // So that a later run removes this container if it is never started.
    Labels: { [LABELS.keeper]: identify(process.pid).trim(), [LABELS.host]: thisHost() },
    Image: image,
    Entrypoint: ["node", program, ...names],
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    // When this process ends, the stdin of the container is closed, and the program in the container exits.
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
    throw new ArtifactsError(
      "The programs and images could not be prepared in a container.",
      "Read the messages above: they name the cause.",
    )
  const { binds, images } = JSON.parse(said) as Artifacts // artifacts-main.ts has written it.
  const outside = (path: string) =>
    path.startsWith(INSIDE.binDir)
      ? join(settings.binDir ?? "", path.slice(INSIDE.binDir.length))
      : join(settings.cacheDir, path.slice(INSIDE.cache.length))
  return {
    binds: binds.map(({ source, target }) => ({ source: outside(source), target })),
    images: images && {
      pause: { ...images.pause, archive: outside(images.pause.archive) },
      nginx: { ...images.nginx, archive: outside(images.nginx.archive) },
      ...(images.coredns && { coredns: { ...images.coredns, archive: outside(images.coredns.archive) } }),
    },
  }
}

/**
 * The folder that contains this package and its dependencies. If the package is installed, that is the parent of
 * node_modules.
 */
function projectRoot(): string {
  const installed = /^(.*)[\\/]node_modules[\\/]/.exec(packageRoot)?.[1]
  return installed !== undefined && existsSync(join(installed, "node_modules")) ? installed : packageRoot
}

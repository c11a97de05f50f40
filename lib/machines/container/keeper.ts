// Runs beside a machine that is a container. It starts the container and waits until the machine ends or the test
// process
// ends (then stdin ends). Then it keeps the logs and removes everything else of the run. A line "detach" on stdin lets
// the
// machine continue without its test process. If this process is killed, the stdin of the container ends, and so the
// machine
// ends. The engine then removes the container and its volume.
// usage: node keeper.js RUN_DIR
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { PassThrough, type Duplex } from "node:stream"
import { text } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { deferred } from "../../base/deferred.ts"
import { messageOf } from "../../base/errors.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import { identify } from "../identity.ts"
import { MachineStartError } from "../run-folder.ts"
import { agentFolder, scriptsFolder } from "../sandbox.ts"
import { settingsText } from "../supervisor-settings.ts"
import type { Order } from "./container.ts"
import { CAPABILITIES_OF_ROOT, CAPABILITIES_OF_USER, refusedBy } from "./capabilities.ts"
import { findEngine, nameToTestcontainers, type Engine } from "./engine.ts"
import { ensureImage, isFromRegistry, oneLine } from "./image.ts"
import { INSIDE } from "./inside.ts"
import { keepLogs } from "./kept-logs.ts"
import { dialLine, PORT } from "./line.mts"
import { LABELS, thisHost } from "./labels.ts"
import { MachineContainer, WaitFor } from "./machine-container.ts"
import { PUBLISHED_PORT_FILE, type PublishedPort } from "./published-port.ts"
import { ORDER_FILE, removeRun, sweep } from "./sweep.ts"

/** Milliseconds that a container may take to end by itself, and that its port may take to answer. */
const GRACE = 30_000

/** A container that has started. */
interface Running {
  readonly published: PublishedPort
  /** Its stdin, stdout and stderr. */
  readonly streams: Duplex
  /** Resolves when the container has ended and its logs are kept. */
  readonly ended: Promise<void>
}

const [folder = ""] = process.argv.slice(2)
const order = JSON.parse(readFileSync(join(folder, ORDER_FILE), "utf8")) as Order // makeRunFolder wrote it.
const { settings, name } = order
const identity = identify(process.pid)
const labels = { [LABELS.run]: folder, [LABELS.keeper]: identity.trim(), [LABELS.host]: thisHost() }
// Ctrl-C is meant for the test process. This process waits until the test process ends.
for (const signal of ["SIGINT", "SIGHUP", "SIGPIPE"] as const) process.on(signal, () => undefined)
// The process that reads the output can end first.
for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined)

/** Resolves when the test process ends. This can happen while the container starts. */
const owner = text(process.stdin).then(async (said) => {
  // From now on only the end of the machine counts.
  if (said.includes("detach")) await new Promise<never>(() => undefined)
})

await writeFile(join(folder, "supervisor"), identity)
let engine: Engine | undefined
try {
  engine = await findEngine()
  nameToTestcontainers(engine.url)
  await sweep(engine, settings)
  const running = await start(engine)
  await writeFile(join(folder, PUBLISHED_PORT_FILE), JSON.stringify(running.published), { mode: 0o600 })
  process.stdout.write("ready\n")
  await Promise.race([owner, running.ended])
  running.streams.end()
  await Promise.race([running.ended, sleep(GRACE, undefined, { ref: false })])
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 1
} finally {
  if (engine !== undefined)
    await removeRun(engine, folder).catch((error: unknown) => {
      process.stderr.write(`${messageOf(error)}\n`)
    })
  await rm(folder, { recursive: true, force: true })
}
process.exit()

/**
 * Starts the container with the capabilities that containers inside it need. If the engine refuses them, starts it
 * without them.
 */
async function start(on: Engine): Promise<Running> {
  const image = await ensureImage(on, settings, silentProgress)
  if (settings.privilege === "privileged") return run(on, image, "privileged", undefined)
  if (settings.privilege === "user")
    return run(on, image, CAPABILITIES_OF_USER, "needs the capabilities that BYHAND_PRIVILEGE=user leaves out")
  if (on.isRootless) return run(on, image, CAPABILITIES_OF_USER, "needs an engine that is not rootless")
  try {
    return await run(on, image, CAPABILITIES_OF_ROOT, undefined)
  } catch (error) {
    const refused = await refusedBy(on, image, labels)
    if (refused.length === 0) throw error
    if (settings.privilege === "root")
      throw new MachineStartError(
        `The engine does not grant ${refused.join(", ")}.`,
        "Unset BYHAND_PRIVILEGE to run without them, or use an engine that grants them.",
      )
    return run(on, image, CAPABILITIES_OF_USER, `the engine does not grant ${refused.join(", ")}`)
  }
}

/** @param lacks what the machine lacks if it runs in a user namespace; undefined if it runs as root */
async function run(
  on: Engine,
  image: string,
  capabilities: readonly string[] | "privileged",
  lacks: string | undefined,
): Promise<Running> {
  if (!on.isLocal) return runWith("copied", on, image, capabilities, lacks)
  try {
    return await runWith("mounted", on, image, capabilities, lacks)
  } catch (error) {
    // The socket is local, but the engine can run on another host, for example when its socket is mounted into a
    // container.
    // Then the error names a file that the engine does not find.
    if (![folder, ...order.binds.map(({ source }) => source)].some((path) => messageOf(error).includes(path)))
      throw error
    return runWith("copied", on, image, capabilities, lacks)
  }
}

/** @param files how the machine's files get into the container */
async function runWith(
  files: "mounted" | "copied",
  on: Engine,
  image: string,
  capabilities: readonly string[] | "privileged",
  lacks: string | undefined,
): Promise<Running> {
  const { getContainerRuntimeClient } = await import("testcontainers")
  const { host } = (await getContainerRuntimeClient()).info.containerRuntime
  const key = randomBytes(32).toString("hex")
  const ready = deferred<void>()
  ready.promise.catch(() => undefined) // The promise can reject before other code waits for it.
  const complaints = new PassThrough()
  const complaint = text(complaints)
  const opened: { streams?: Duplex; ended?: Promise<void> } = {}
  const given = order.binds.map(({ source, target }, at) => ({
    source,
    target,
    inside: `/byhand/given/${at}-${target.slice(target.lastIndexOf("/") + 1)}`,
  }))
  const limits = on.isRootless ? {} : order.limits // A rootless engine cannot set limits.
  const description = new MachineContainer({
    image,
    name,
    capabilities,
    limits,
    isPodman: on.isPodman,
    isMounted: files === "mounted",
    witness: join(folder, ORDER_FILE),
    isOnLoopback: host === "localhost" || host === "127.0.0.1",
    labels,
    given: given.map(({ source, inside }) => ({ source, target: inside })),
    command: ["sh", `${INSIDE.scripts}/entry.sh`, INSIDE.settings],
    wait: new WaitFor(ready.promise),
    onStreams: (streams) => {
      const output = new PassThrough()
      on.docker.modem.demuxStream(streams, output, complaints)
      streams
        .once("close", () => {
          output.end()
          complaints.end()
        })
        .once("end", () => {
          output.end()
          complaints.end()
        })
      opened.streams = streams
      opened.ended = followed(output, ready.resolve).then(() => {
        ready.reject(new Error("it ended at once"))
      })
    },
  })
    .withCopyContentToContainer([
      { content: key, target: INSIDE.key, mode: 0o600 },
      { content: settingsForInside(lacks === undefined ? "root" : "user"), target: INSIDE.settings },
      { content: given.map(({ inside, target }) => `${inside}\t${target}\n`).join(""), target: INSIDE.binds },
    ])
    .withCopyFilesToContainer([
      ...(await filesIn(scriptsFolder, ".sh")).map((file) => ({
        source: join(scriptsFolder, file),
        target: `${INSIDE.scripts}/${file}`,
      })),
      { source: join(scriptsFolder, "container", "entry.sh"), target: `${INSIDE.scripts}/entry.sh` },
      ...(await filesIn(agentFolder, ".mjs")).map((file) => ({
        source: join(agentFolder, file),
        target: `${INSIDE.agent}/${file}`,
      })),
      ...["inside.mjs", "line.mjs"].map((file) => ({
        source: join(import.meta.dirname, file),
        target: `/byhand/inside/${file}`,
      })),
      { source: join(import.meta.dirname, "..", "requests.mjs"), target: "/byhand/requests.mjs" },
    ])
    .withAutoCleanup(await hasRyuk(on, image))
  const timer = setTimeout(
    () => ready.reject(new Error(`it was not ready after ${settings.patience / 1000} s`)),
    settings.patience,
  )
  try {
    const container = await description.start()
    const { streams, ended } = opened
    if (streams === undefined || ended === undefined) throw new Error("the engine did not open its streams")
    const at = await reached(
      [...new Set([...(on.isLocal ? ["127.0.0.1"] : []), host])],
      container.getMappedPort(PORT),
      key,
    )
    return {
      published: {
        ...at,
        key,
        ...(lacks === undefined ? {} : { lacks }),
        container: container.getId(),
        engine: on.url,
      },
      streams,
      ended,
    }
  } catch (error) {
    opened.streams?.destroy()
    complaints.end()
    await removeRun(on, folder)
    throw new MachineStartError(
      `The container of the machine could not be started on ${on.description}: ${oneLine((await complaint).trim() || messageOf(error))}.`,
      "npx byhand doctor says what this engine can run.",
    )
  } finally {
    clearTimeout(timer)
  }
}

/** The settings for the scripts in the container. */
function settingsForInside(mode: "root" | "user"): string {
  const { run, agent, scripts, logs } = INSIDE
  const { disk, seconds } = order.limits
  const limits = {
    // The engine limits memory and processes of the whole container. A rootless engine cannot do this, and the scripts
    // cannot
    // do it either.
    ...(disk === undefined ? {} : { disk }),
    ...(seconds === undefined ? {} : { seconds }),
  }
  return settingsText({ run, name, mode, node: "", agent, scripts, owner: "", logs, limits })
}

/**
 * Reads a container's stdout: a word when the machine is ready, then the logs. Resolves when the container has ended
 * and the logs are kept.
 */
async function followed(output: PassThrough, onReady: () => void): Promise<void> {
  const [word] = (await Promise.race([once(output, "data"), once(output, "end")])) as [Buffer | undefined]
  if (word === undefined) return
  onReady()
  // A container that was killed sends no logs.
  await keepLogs(output, join(settings.cacheDir, "logs", order.id)).catch(() => undefined)
}

/**
 * Finds the host on which the container's port answers. An engine publishes the port on the engine's host, which can be
 * another host.
 */
async function reached(hosts: readonly string[], port: number, key: string): Promise<{ host: string; port: number }> {
  for (const host of hosts) {
    const line = dialLine({ host, port, key })
    try {
      await once(line, "secureConnect", { signal: AbortSignal.timeout(GRACE) })
      return { host, port }
    } catch {
      continue // The port does not answer on this host.
    } finally {
      line.destroy()
    }
  }
  throw new Error(
    `the engine publishes the machine's port as port ${port} of ${hosts.join(" and ")}, which does not answer from here`,
  )
}

/**
 * Whether Ryuk runs. Ryuk removes labelled containers when this process ends. It is not used if the engine does not
 * have its image and cannot pull it.
 */
async function hasRyuk({ docker }: Engine, image: string): Promise<boolean> {
  if (process.env["TESTCONTAINERS_RYUK_DISABLED"] === "true") return false
  const named = process.env["RYUK_CONTAINER_IMAGE"]
  const there = await docker.listImages(named === undefined ? {} : { filters: { reference: [named] } })
  const mayBeHad =
    there.some(
      ({ RepoTags }) => RepoTags?.some((tag) => tag === named || tag.startsWith("testcontainers/ryuk:")) === true,
    ) || (await isFromRegistry(docker, image))
  if (!mayBeHad) return false
  const { getContainerRuntimeClient, getReaper } = await import("testcontainers")
  return getContainerRuntimeClient()
    .then(getReaper)
    .then(
      () => true,
      () => false,
    )
}

async function filesIn(where: string, ending: string): Promise<string[]> {
  return (await readdir(where)).filter((file) => file.endsWith(ending))
}

import { hostname } from "node:os"
import { readlinkSync } from "node:fs"
import type { Duplex } from "node:stream"
import { GenericContainer, getContainerRuntimeClient, type WaitStrategy } from "testcontainers"
import type { Limits } from "../limits.ts"
import { INSIDE } from "./inside.ts"
import { PORT } from "./line.mts"

/** Labels of whatever is a run's on an engine. */
export const LABELS = {
  /** The run's folder. */
  run: "byhand.run",
  /** Who keeps it, as `identify` says. */
  keeper: "byhand.keeper",
  /** Where that process lives: its number means nothing elsewhere. */
  host: "byhand.host",
} as const

/** This host, and the process numbers that count in it: several may share an engine. */
export function thisHost(): string {
  try {
    return `${hostname()} ${readlinkSync("/proc/self/ns/pid")}`
  } catch {
    return hostname() // Without /proc there are no namespaces either.
  }
}

export interface MachineContainerOptions {
  readonly image: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly capabilities: readonly string[] | "privileged"
  readonly limits: Limits
  readonly isPodman: boolean
  /** Files of this host, read-only, by where they are found inside. */
  readonly given: readonly { readonly source: string; readonly target: string }[]
  /** Whether they are mounted, which takes an engine that sees this host's files; copied otherwise. */
  readonly isMounted: boolean
  /** A file of this run alone: an engine of another host has none of that name, whatever else it has where this host has it. */
  readonly witness: string
  readonly command: readonly string[]
  /** Whether the engine's port can be reached on loopback alone. */
  readonly isOnLoopback: boolean
  readonly wait: WaitStrategy
  /** Is given the container's standard streams, before it starts. Its input ends when this process does. */
  readonly onStreams: (streams: Duplex, id: string) => void
}

/** A container with exactly what a machine of namespaces needs of its host, and what testcontainers has no words for. */
export class MachineContainer extends GenericContainer {
  readonly #onStreams: MachineContainerOptions["onStreams"]

  constructor({
    image,
    name,
    labels,
    capabilities,
    limits,
    isPodman,
    given,
    isMounted,
    witness,
    command,
    isOnLoopback,
    wait,
    onStreams,
  }: MachineContainerOptions) {
    super(image)
    this.#onStreams = onStreams
    this.withHostname(name)
      .withLabels({ ...labels })
      .withEntrypoint([...command])
      .withCommand([])
      .withExposedPorts(PORT)
      .withWaitStrategy(wait)
    if (capabilities === "privileged") this.withPrivilegedMode()
    else this.withDroppedCapabilities("ALL").withAddedCapabilities(...capabilities)
    // The engine's own profiles forbid mounts and pivot_root, without which there are no containers inside.
    this.withSecurityOpt(
      "seccomp=unconfined",
      "apparmor=unconfined",
      "label=disable",
      ...(isPodman ? ["unmask=all"] : []),
    ) // Podman does not read MaskedPaths.
    if (!isMounted) this.withCopyFilesToContainer(given.map(({ source, target }) => ({ source, target, mode: 0o755 })))

    // When whoever holds its streams is gone, its input ends, and with it the machine; the engine then removes what is left.
    Object.assign(this.createOpts, {
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    })
    Object.assign(this.hostConfig, {
      AutoRemove: true,
      CgroupnsMode: "private",
      // A /proc that is masked forbids a user namespace inside to mount one of its own; init.sh masks what is not to be seen.
      MaskedPaths: [],
      ReadonlyPaths: [],
      ...(limits.memory === undefined ? {} : { Memory: limits.memory, MemorySwap: limits.memory }),
      ...(limits.processes === undefined ? {} : { PidsLimit: limits.processes }),
      Mounts: [
        // Overlays do not stack: what lies on this one is the file system of the machine, and containerd's own.
        {
          Type: "volume",
          Source: "",
          Target: INSIDE.runs,
          VolumeOptions: { Labels: { ...labels }, NoCopy: false, DriverConfig: { Name: "local", Options: {} } },
        },
        ...(isMounted
          ? [...given, { source: witness, target: "/byhand/order" }].map(({ source, target }) => ({
              Type: "bind" as const,
              Source: source,
              Target: target,
              ReadOnly: true,
            }))
          : []),
      ],
    })
    if (isOnLoopback) this.hostConfig.PortBindings = { [`${PORT}/tcp`]: [{ HostIp: "127.0.0.1", HostPort: "0" }] }
  }

  protected override async containerCreated(id: string): Promise<void> {
    const client = await getContainerRuntimeClient()
    const streams = await client.container
      .getById(id)
      .attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
    this.#onStreams(streams as unknown as Duplex, id) // With hijack it is both ways; the types say reading only.
  }
}

/** Ready when a promise is, which testcontainers has no strategy for; whoever makes it sees to its end. */
export class WaitFor implements WaitStrategy {
  readonly #ready: Promise<void>

  constructor(ready: Promise<void>) {
    this.#ready = ready
  }

  waitUntilReady(): Promise<void> {
    return this.#ready
  }

  withStartupTimeout(): this {
    return this
  }

  isStartupTimeoutSet(): boolean {
    return true
  }

  getStartupTimeout(): number {
    return 0
  }
}

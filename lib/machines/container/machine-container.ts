import type { Duplex } from "node:stream"
import { GenericContainer, getContainerRuntimeClient, type WaitStrategy } from "testcontainers"
import type { Limits } from "../limits.ts"
import { INSIDE } from "./inside.ts"
import { PORT } from "./line.mts"

export interface MachineContainerOptions {
  readonly image: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly capabilities: readonly string[] | "privileged"
  readonly limits: Limits
  readonly isPodman: boolean
  /** Files of this host that the container can read, and their paths inside. */
  readonly given: readonly { readonly source: string; readonly target: string }[]
  /** Whether they are mounted. Otherwise they are copied, for an engine that cannot read this host's files. */
  readonly isMounted: boolean
  /**
   * A file that only this run has. An engine on another host cannot mount this file, even if the other files also exist
   * there.
   */
  readonly witness: string
  readonly command: readonly string[]
  /** Whether the engine should publish the port on loopback only. */
  readonly isOnLoopback: boolean
  readonly wait: WaitStrategy
  /**
   * Is called with the container's standard streams before the container starts. The container's stdin ends when this
   * process ends.
   */
  readonly onStreams: (streams: Duplex, id: string) => void
}

/** A container that can be the host of a sandbox. It also sets options for which testcontainers has no method. */
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
    // The engine's own profiles forbid mount and pivot_root, which containers inside need.
    this.withSecurityOpt(
      "seccomp=unconfined",
      "apparmor=unconfined",
      "label=disable",
      ...(isPodman ? ["unmask=all"] : []),
    ) // Podman does not read MaskedPaths.
    if (!isMounted) this.withCopyFilesToContainer(given.map(({ source, target }) => ({ source, target, mode: 0o755 })))

    // When the process that holds the streams ends, the container's stdin ends, and with it the machine. The engine
    // then removes the container.
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
      // With a masked /proc the kernel forbids a user namespace inside to mount its own. init.sh masks the same files.
      MaskedPaths: [],
      ReadonlyPaths: [],
      ...(limits.memory === undefined ? {} : { Memory: limits.memory, MemorySwap: limits.memory }),
      ...(limits.processes === undefined ? {} : { PidsLimit: limits.processes }),
      Mounts: [
        // An overlay file system cannot use another overlay. So the machine's file system and containerd's overlays use
        // this volume.
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
    // With hijack the stream goes both ways; its type is for reading only.
    this.#onStreams(streams as unknown as Duplex, id)
  }
}

/** A wait strategy of testcontainers that waits for a promise. The caller gives the promise its own timeout. */
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

import type { Duplex } from "node:stream"

/** What a command that has ended printed and how it ended. */
export interface Result {
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  /** 128 + the signal's number where a signal ended it, as a shell would say. */
  readonly exitCode: number
}

/** How a started process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A process that runs on a machine. */
export interface Spawned {
  /** Its number as the machine counts. */
  readonly pid: number
  /** Settles when it ends, or when its machine does; never rejects. */
  readonly exit: Promise<Exit>
}

export interface RunOptions {
  readonly input?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds until the command and all it started are killed; none by default. */
  readonly timeout?: number
  /** Told of standard output as it arrives. */
  readonly onOutput?: (chunk: Buffer) => void
  /** Ends the command early. */
  readonly signal?: AbortSignal
}

/** A port of this process's own side that leads into the machine. */
export interface Forward extends AsyncDisposable {
  /** host:port on loopback. */
  readonly address: string
}

/** A place where processes run: the only thing that touches an operating system. */
export interface Machine extends AsyncDisposable {
  readonly name: string
  /** Whether it may make cgroups and mounts as containers need. */
  readonly privileged: boolean
  /** What it would take for that, as the end of "cannot check here: "; undefined where it is privileged. */
  readonly lacks: string | undefined
  /** Its address that is not loopback: the Node's. */
  readonly address: string
  run(argv: readonly string[], options?: RunOptions): Promise<Result>
  /** Starts what goes on running; its output is appended to the file `log` on the machine. */
  spawn(
    argv: readonly string[],
    options: { log: string; env?: Readonly<Record<string, string>>; cwd?: string },
  ): Promise<Spawned>
  read(path: string): Promise<Buffer>
  /** Writes a file and the folders above it. */
  write(path: string, content: string | Buffer, mode?: number): Promise<void>
  /** One connection to a port as the machine sees it. */
  connect(port: number, host?: string): Promise<Duplex>
  /** A port here, for clients that must be told an address. */
  forward(port: number, host?: string): Promise<Forward>
  /** Ends everything in it and removes it; resolves when nothing is left. */
  close(): Promise<void>
}

import type { Duplex } from "node:stream"
import type { Sight } from "./agent/frames.mts"

/** The output of a command and its exit code. */
export interface Result {
  readonly command: string
  readonly stdout: string
  readonly stderr: string
  /** As in a shell: 128 + the signal's number if a signal ended the command. */
  readonly exitCode: number
}

/** How a started process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A process that runs on a machine. */
export interface Spawned {
  /** Its pid on the machine. */
  readonly pid: number
  /** Resolves when the process ends, or its machine. Never rejects. */
  readonly exit: Promise<Exit>
}

export interface RunOptions {
  readonly input?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
  /** Timeout in milliseconds. Then the command and its children are killed. No timeout by default. */
  readonly timeout?: number
  /** Is called with each part of stdout as it arrives. */
  readonly onOutput?: (chunk: Buffer) => void
  /** Ends the command early. */
  readonly signal?: AbortSignal
}

/** A port on this host that leads to a port of the machine. */
export interface Forward extends AsyncDisposable {
  /** The address on this host: 127.0.0.1:PORT. */
  readonly address: string
}

/** What a watch saw: a process that runs a watched program, the file that it logs to through a pipe, and its end. */
export type { Sight } from "./agent/frames.mts"

/** A place where processes run. Only machines touch an operating system. */
export interface Machine extends AsyncDisposable {
  readonly name: string
  /** Whether the machine can make the cgroups and mounts that containers need. */
  readonly privileged: boolean
  /** What the machine lacks for that, as the end of "cannot check here: …". Undefined if it is privileged. */
  readonly lacks: string | undefined
  /** The command with which a person opens a shell there. undefined: npx byhand shell. */
  readonly login?: string
  /** The machine's address that is not loopback. It is the address of the Node. */
  readonly address: string
  run(argv: readonly string[], options?: RunOptions): Promise<Result>
  /** Starts a process in the background. Its output is appended to the file `log` on the machine. */
  spawn(
    argv: readonly string[],
    options: { log: string; env?: Readonly<Record<string, string>>; cwd?: string },
  ): Promise<Spawned>
  /**
   * Reports each process that runs one of some programs, or a copy of one, and its end, however short its life. Resolves
   * when the watch has begun. @param programs paths on the machine
   */
  watch(programs: readonly string[], onSight: (sight: Sight) => void): Promise<AsyncDisposable>
  read(path: string): Promise<Buffer>
  /** Writes a file. Makes the folders above it. */
  write(path: string, content: string | Buffer, mode?: number): Promise<void>
  /** Opens a connection to a port. `host` is as the machine sees it, 127.0.0.1 by default. */
  connect(port: number, host?: string): Promise<Duplex>
  /** Opens a port on this host that leads to a port of the machine, for clients that need an address. */
  forward(port: number, host?: string): Promise<Forward>
  /** Ends everything on the machine and removes it. Resolves when nothing is left. */
  close(): Promise<void>
}

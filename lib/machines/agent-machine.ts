import type { Socket } from "node:net"
import { constants } from "node:os"
import type { Duplex } from "node:stream"
import { deferred } from "../base/deferred.ts"
import { RemediedError } from "../base/errors.ts"
import { quote } from "../base/shell.ts"
import { Channel, frameReader, writeFrame, type Reply, type Request, type Sight } from "./agent/frames.mts"
import { ENVIRONMENT } from "./environment.ts"
import { openForward } from "./forward.ts"
import type { Exit, Forward, Machine, Result, RunOptions, Spawned } from "./machine.ts"

/** The machine's agent answered that it could not carry out the request. */
export class MachineError extends RemediedError {
  /** The error code of the operating system, such as ENOENT. Empty if there is none. */
  readonly code: string
  constructor(problem: string, remedy: string, code: string) {
    super(problem, remedy)
    this.code = code
  }
}

/** The machine and all its processes have ended. */
export class MachineEndedError extends MachineError {
  readonly machine: string
  /** The reason, if it is known. */
  readonly reason: string | undefined
  constructor(machine: string, reason: string | undefined) {
    super(`The machine ${machine} has ended${reason === undefined ? "" : `: ${reason}`}.`, "Start it again.", "EPIPE")
    this.machine = machine
    this.reason = reason
  }
}

/** A command did not end before its timeout, or its caller stopped it early. */
export class CommandTimeoutError extends RemediedError {
  readonly command: string
  /** Milliseconds; 0 if the caller stopped the command. */
  readonly waited: number
  /** The output of the command until then. */
  readonly printed: string
  constructor(command: string, waited: number, printed: string) {
    super(
      waited === 0 ? `${command} was stopped.` : `${command} had not ended after ${waited} ms.`,
      waited === 0
        ? "Run it again."
        : `Run it by hand, or set BYHAND_PATIENCE if this host is slow. It printed: ${printed || "nothing"}`,
    )
    this.command = command
    this.waited = waited
    this.printed = printed
  }
}

/** How a machine is reached and ended. */
export interface AgentMachineOptions {
  readonly name: string
  readonly address: string
  /** What the machine lacks to run containers. Undefined if it lacks nothing. */
  readonly lacks?: string | undefined
  /** Opens a connection to the machine's agent. */
  readonly dial: () => Socket
  readonly end: () => Promise<void>
  /** Returns why the machine has ended, if the reason is known. */
  readonly whyEnded?: () => string | undefined
}

/** A machine that is reached through its agent. The options say where the agent is and how the machine ends. */
export class AgentMachine implements Machine {
  readonly name: string
  readonly address: string
  readonly lacks: string | undefined
  readonly #dial: () => Socket
  readonly #end: () => Promise<void>
  readonly #whyEnded: () => string | undefined
  readonly #forwards = new Set<Forward>()

  constructor({ name, address, lacks, dial, end, whyEnded = () => undefined }: AgentMachineOptions) {
    this.name = name
    this.address = address
    this.lacks = lacks
    this.#dial = dial
    this.#end = end
    this.#whyEnded = whyEnded
  }

  get privileged(): boolean {
    return this.lacks === undefined
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<Result> {
    const { promise, resolve, reject } = deferred<Result>()
    const command = quote(argv)
    const output: Record<number, Buffer[]> = { [Channel.stdout]: [], [Channel.stderr]: [] }
    const text = (channel: number) => Buffer.concat(output[channel] ?? []).toString()
    const socket = this.#ask(
      { op: "run", argv: [...argv], env: { ...ENVIRONMENT, ...options.env }, cwd: "/root" },
      (channel, payload) => {
        output[channel]?.push(Buffer.from(payload))
        if (channel === Channel.stdout) options.onOutput?.(payload)
      },
      (reply) => {
        if (reply.is === "exited")
          resolve({ command, stdout: text(Channel.stdout), stderr: text(Channel.stderr), exitCode: exitCode(reply) })
        if (reply.is === "failed") reject(failure(`${command}: ${reply.message}.`, reply))
      },
      reject,
    )
    if (options.input !== undefined) writeFrame(socket, Channel.stdin, options.input)
    writeFrame(socket, Channel.stdin, "")
    const giveUp = (problem: Error) => {
      reject(problem)
      socket.destroy()
    }
    const stop = () => giveUp(new CommandTimeoutError(command, 0, ""))
    if (options.signal?.aborted === true) stop()
    options.signal?.addEventListener("abort", stop, { once: true })
    if (options.timeout !== undefined) {
      const timer = setTimeout(
        () =>
          giveUp(new CommandTimeoutError(command, options.timeout ?? 0, text(Channel.stderr) || text(Channel.stdout))),
        options.timeout,
      )
      promise.finally(() => clearTimeout(timer)).catch(() => undefined)
    }
    return promise
  }

  spawn(
    argv: readonly string[],
    options: { log: string; env?: Readonly<Record<string, string>>; cwd?: string },
  ): Promise<Spawned> {
    const { promise, resolve, reject } = deferred<Spawned>()
    const exit = deferred<Exit>()
    const machineEnded = () => exit.resolve({ code: null, signal: "SIGKILL" })
    const socket = this.#ask(
      {
        op: "spawn",
        argv: [...argv],
        env: { ...ENVIRONMENT, ...options.env },
        cwd: options.cwd ?? "/root",
        log: options.log,
      },
      () => undefined,
      (reply) => {
        if (reply.is === "started") {
          resolve({ pid: reply.pid, exit: exit.promise })
          socket.unref() // From now on, the connection only waits until the process ends.
        }
        if (reply.is === "exited") exit.resolve({ code: reply.code, signal: reply.signal })
        if (reply.is === "failed") reject(failure(`${argv[0]} could not be started: ${reply.message}.`, reply))
      },
      (error) => {
        reject(error)
        machineEnded()
      },
    )
    socket.on("close", machineEnded)
    return promise
  }

  watch(programs: readonly string[], onSight: (sight: Sight) => void): Promise<AsyncDisposable> {
    const { promise, resolve, reject } = deferred<AsyncDisposable>()
    const end = () => {
      socket.destroy()
      return Promise.resolve()
    }
    const socket = this.#ask(
      { op: "watch", programs: [...programs] },
      (_, payload) => onSight(JSON.parse(payload.toString()) as Sight), // The project's own agent wrote it.
      (reply) => {
        if (reply.is === "failed") reject(failure(`Processes cannot be watched: ${reply.message}.`, reply))
        else resolve({ [Symbol.asyncDispose]: end })
        socket.unref()
      },
      reject,
    )
    return promise
  }

  read(path: string): Promise<Buffer> {
    const { promise, resolve, reject } = deferred<Buffer>()
    const content: Buffer[] = []
    this.#ask(
      { op: "read", path },
      (_, payload) => content.push(Buffer.from(payload)),
      (reply) => {
        if (reply.is === "failed") reject(failure(`${path} cannot be read: ${reply.message}.`, reply))
        else resolve(Buffer.concat(content))
      },
      reject,
    )
    return promise
  }

  write(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
    const { promise, resolve, reject } = deferred<void>()
    const socket = this.#ask(
      { op: "write", path, mode },
      () => undefined,
      (reply) => {
        if (reply.is === "failed") reject(failure(`${path} cannot be written: ${reply.message}.`, reply))
        else resolve()
      },
      reject,
    )
    if (content.length > 0) writeFrame(socket, Channel.stdin, content)
    writeFrame(socket, Channel.stdin, "")
    return promise
  }

  connect(port: number, host = "127.0.0.1"): Promise<Duplex> {
    const { promise, resolve, reject } = deferred<Duplex>()
    this.#ask(
      { op: "connect", port, host },
      () => undefined,
      (reply, release) => {
        if (reply.is === "failed") reject(failure(`${host}:${port}: ${reply.message}.`, reply))
        else resolve(release())
      },
      reject,
    )
    return promise
  }

  async forward(port: number, host = "127.0.0.1"): Promise<Forward> {
    const forward = await openForward(() => this.connect(port, host))
    const closing: Forward = {
      address: forward.address,
      [Symbol.asyncDispose]: () => {
        this.#forwards.delete(closing)
        return forward[Symbol.asyncDispose]()
      },
    }
    this.#forwards.add(closing)
    return closing
  }

  async close(): Promise<void> {
    await Promise.all([...this.#forwards].map((forward) => forward[Symbol.asyncDispose]()))
    await this.#end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Opens a connection, sends a request, and passes the answers to the callbacks. Calls `onLost` if the connection ends
   * before an answer.
   * @param onReply its second argument gives the connection to the caller
   */
  #ask(
    request: Request,
    onData: (channel: number, payload: Buffer) => void,
    onReply: (reply: Reply, release: () => Socket) => void,
    onLost: (error: Error) => void,
  ): Socket {
    const socket = this.#dial()
    const read = frameReader((channel, payload) => {
      // The project's own agent wrote it.
      if (channel === Channel.control) onReply(JSON.parse(payload.toString()) as Reply, release)
      else onData(channel, payload)
      return request.op === "connect" // The bytes after the answer belong to the requested connection.
    })
    const arrived = (chunk: Buffer) => {
      const rest = read(chunk)
      if (rest !== undefined) socket.pause().unshift(rest)
    }
    const lost = () => onLost(new MachineEndedError(this.name, this.#whyEnded()))
    const release = () =>
      socket
        .off("data", arrived)
        .off("error", lost)
        .off("close", lost)
        .on("error", () => socket.destroy())
    socket.on("data", arrived).on("error", lost).on("close", lost)
    writeFrame(socket, Channel.control, JSON.stringify(request))
    return socket
  }
}

/** Asks an agent to end. Its machine ends with it. */
export function shutdown(dial: () => Socket): void {
  const socket = dial().on("error", () => undefined) // The machine has already ended.
  writeFrame(socket, Channel.control, JSON.stringify({ op: "shutdown" } satisfies Request))
}

function exitCode({ code, signal }: Exit): number {
  return code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0) // The agent sends the names that Node uses.
}

function failure(problem: string, { code }: { code: string }): MachineError {
  const remedies: Record<string, string> = {
    ENOENT: "Check the path and the spelling.",
    ECONNREFUSED: "No process listens there. Start the component that must listen there, or read its log.",
    EACCES: "The user of this machine has no permission for that.",
  }
  return new MachineError(problem, remedies[code] ?? "Look at the machine with: npx byhand shell", code)
}

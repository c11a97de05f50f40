// The process on a machine that carries out the requests of the test process, as the machine's root.
// It imports only Node's own modules, because no other file of the project is on the machine.
import { execFileSync, spawn, type ChildProcess } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, openSync, closeSync, createReadStream, createWriteStream } from "node:fs"
import { createServer, connect, type Socket } from "node:net"
import { dirname } from "node:path"
import { pipeline } from "node:stream/promises"
import { PassThrough } from "node:stream"
import { Channel, frameReader, writeFrame, type Reply, type Request } from "./frames.mts"
import { watch } from "./watch.mts"

const [socketPath = "/run/byhand/socket/agent.sock", owner = ""] = process.argv.slice(2)

function reply(socket: Socket, message: Reply): void {
  if (socket.writable) writeFrame(socket, Channel.control, JSON.stringify(message))
}

function fail(socket: Socket, error: NodeJS.ErrnoException): void {
  reply(socket, { is: "failed", code: error.code ?? "", message: error.message })
  socket.end()
}

/** Kills a process and its whole process group. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // The process has ended in the meantime.
  }
}

function run(socket: Socket, request: Request & { op: "run" }): (channel: number, payload: Buffer) => void {
  const [file = "", ...args] = request.argv
  const child = spawn(file, args, { env: request.env, cwd: request.cwd, detached: true, stdio: "pipe" })
  child.on("error", (error) => fail(socket, error))
  child.stdin.on("error", () => undefined) // A command can end before it has read all of its stdin.
  child.stdout.on("data", (bytes: Buffer) => writeFrame(socket, Channel.stdout, bytes))
  child.stderr.on("data", (bytes: Buffer) => writeFrame(socket, Channel.stderr, bytes))
  child.on("spawn", () => reply(socket, { is: "started", pid: child.pid ?? 0 }))
  child.on("close", (code, signal) => {
    reply(socket, { is: "exited", code, signal })
    socket.end()
  })
  socket.on("close", () => killGroup(child))
  return (channel, payload) => {
    if (channel !== Channel.stdin) return
    if (payload.length === 0) child.stdin.end()
    else child.stdin.write(payload)
  }
}

/** Starts a process that continues after the connection ends. Its output is appended to a file. */
function start(socket: Socket, request: Request & { op: "spawn" }): void {
  const [file = "", ...args] = request.argv
  mkdirSync(dirname(request.log), { recursive: true })
  const log = openSync(request.log, "a")
  const child = spawn(file, args, { env: request.env, cwd: request.cwd, detached: true, stdio: ["ignore", log, log] })
  closeSync(log)
  child.on("error", (error) => fail(socket, error))
  child.on("spawn", () => reply(socket, { is: "started", pid: child.pid ?? 0 }))
  child.on("exit", (code, signal) => {
    reply(socket, { is: "exited", code, signal })
    socket.end()
  })
}

function forward(socket: Socket, request: Request & { op: "connect" }): void {
  const target = connect({ host: request.host, port: request.port })
  target.on("error", (error) => fail(socket, error))
  target.on("connect", () => {
    reply(socket, { is: "done" })
    socket.removeAllListeners("data")
    socket.pipe(target).pipe(socket)
    target.removeAllListeners("error")
    target.on("error", () => socket.destroy())
    socket.on("error", () => target.destroy())
    socket.on("close", () => target.destroy())
    target.on("close", () => socket.end())
  })
}

async function read(socket: Socket, path: string): Promise<void> {
  // Without an encoding, chunks are Buffers.
  for await (const chunk of createReadStream(path)) writeFrame(socket, Channel.stdout, chunk as Buffer)
  reply(socket, { is: "done" })
  socket.end()
}

function write(socket: Socket, { path, mode }: Request & { op: "write" }): (channel: number, payload: Buffer) => void {
  const content = new PassThrough()
  mkdirSync(dirname(path), { recursive: true })
  pipeline(content, createWriteStream(path, { mode })).then(
    () => {
      chmodSync(path, mode) // An existing file has kept its old mode.
      reply(socket, { is: "done" })
      socket.end()
    },
    (error: Error) => fail(socket, error),
  )
  return (channel, payload) => {
    if (channel !== Channel.stdin) return
    if (payload.length === 0) content.end()
    else content.write(payload)
  }
}

/** Carries out a request. @returns a function for the frames that follow the request, if there are any */
function serve(socket: Socket, request: Request): ((channel: number, payload: Buffer) => void) | undefined {
  switch (request.op) {
    case "run":
      return run(socket, request)
    case "spawn":
      start(socket, request)
      return undefined
    case "connect":
      forward(socket, request)
      return undefined
    case "write":
      return write(socket, request)
    case "read":
      read(socket, request.path).catch((error: Error) => fail(socket, error))
      return undefined
    case "watch":
      // The first look is over when the answer is sent, so no later process can be missed before it.
      socket.on(
        "close",
        watch(request.programs, (sight) => writeFrame(socket, Channel.stdout, JSON.stringify(sight))),
      )
      reply(socket, { is: "done" })
      return undefined
    case "shutdown":
      process.exit(0)
  }
}

process.umask(0o022)
const server = createServer((socket) => {
  let onFrame: ((channel: number, payload: Buffer) => void) | undefined
  let request: Request | undefined
  socket.on("error", () => socket.destroy())
  const read = frameReader((channel, payload) => {
    if (request !== undefined) onFrame?.(channel, payload)
    else {
      request = JSON.parse(payload.toString()) as Request // Only the project's own test process can open the socket.
      onFrame = serve(socket, request)
    }
    return false
  })
  socket.on("data", (chunk: Buffer) => {
    try {
      read(chunk)
    } catch (error) {
      fail(socket, error as Error) // Node's own calls throw Errors.
    }
  })
})
server.listen(socketPath, () => {
  chmodSync(socketPath, 0o600)
  if (owner !== "") chownSync(socketPath, Number(owner), -1)
  // The socket stays in the host's folder. The machine must not keep a folder of the host.
  execFileSync("umount", ["-l", dirname(socketPath)])
  process.stdout.write("ready\n")
})

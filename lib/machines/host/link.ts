import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { Duplex, Transform } from "node:stream"
import { quote } from "../../base/shell.ts"
import { MachineError } from "../agent-machine.ts"
import { HostLostError, loginError } from "./errors.ts"
import type { HostTarget, SshTarget } from "./target.ts"

/** How a host is reached: its shells, and its ports. */
export interface HostLink {
  readonly target: HostTarget
  /** The command on this host that runs a line of a POSIX shell on the host, with its pipes. */
  readonly shell: (line: string) => readonly string[]
  /** Opens a connection to a port, as the host sees it. @throws MachineError, HostLostError */
  readonly connect: (port: number, host: string) => Promise<Duplex>
}

/** Options that hold for each use of ssh. The user's own configuration applies besides them. */
const COMMON = ["RequestTTY=no", "PermitLocalCommand=no", "ForwardAgent=no", "ForwardX11=no"]

/**
 * Options of the one connection. An unknown or changed host key is refused, whatever the configuration says. A host that
 * does not answer is given up after a quarter of a minute.
 */
const MASTER = [
  "ControlMaster=yes",
  "ControlPersist=no",
  "StrictHostKeyChecking=yes",
  "UpdateHostKeys=no",
  "ConnectTimeout=15",
  "ServerAliveInterval=5",
  "ServerAliveCountMax=3",
  "ClearAllForwardings=yes",
  "RemoteCommand=none",
]

/**
 * Ends ssh when standard input ends, because this process has ended, even if it was killed. ssh itself would wait until
 * the last command on the host has ended.
 */
const GUARD = 'exec 3<&0; "$@" <&3 3<&- & exec >/dev/null 2>&1; cat; kill $!; wait $!'

/** Characters of what ssh prints that are kept. */
const LONGEST_COMPLAINT = 8_000

/** The words of an ssh command line up to the host. */
function sshWords(target: SshTarget, folder: string, options: readonly string[]): string[] {
  const { host, user, port, config } = target
  return [
    ...(config === undefined ? [] : ["-F", config]),
    ...[...options, ...COMMON].flatMap((option) => ["-o", option]),
    "-S",
    join(folder, "ssh"),
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    "--",
    host,
  ]
}

/** The same, for what uses the one connection. Options of ssh itself precede the host. */
function throughWords(target: SshTarget, folder: string, own: readonly string[] = []): string[] {
  return [...own, ...sshWords(target, folder, ["ControlMaster=no", "BatchMode=yes"])]
}

/**
 * Logs in to a host. The connection ends when it is disposed of, and when this process ends.
 * @param folder a folder of this run that only this user can enter; its path must be short, because it contains sockets
 * @throws HostError that says what to type
 */
export async function login(target: HostTarget, folder: string): Promise<AsyncDisposable> {
  if (target.kind === "local") return { [Symbol.asyncDispose]: () => Promise.resolve() }
  const ready = randomBytes(8).toString("hex")
  // ssh may ask for a passphrase only where a person can answer.
  const words = sshWords(target, folder, [...MASTER, `BatchMode=${process.stdin.isTTY ? "no" : "yes"}`])
  const waiting = `exec sh -c 'echo ${ready}; while read -r line; do :; done'`
  const master = execa("sh", ["-c", GUARD, "sh", "ssh", ...words, waiting], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    reject: false,
  })
  let complaint = ""
  master.stderr.on("data", (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-LONGEST_COMPLAINT)
  })
  master.stdin.on("error", () => undefined) // ssh can end first. Its exit reports that.
  const isIn = new Promise<boolean>((resolve) => {
    let seen = ""
    master.stdout
      .on("data", (chunk: Buffer) => {
        seen = (seen + chunk.toString()).slice(-LONGEST_COMPLAINT)
        if (seen.includes(ready)) resolve(true)
      })
      .on("end", () => resolve(false))
  })
  if (!(await isIn)) {
    master.stdin.end()
    await master
    throw loginError(target, complaint)
  }
  // ssh must not keep this process alive.
  master.unref()
  for (const stream of [master.stdin, master.stdout, master.stderr])
    if ("unref" in stream && typeof stream.unref === "function") stream.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      master.ref()
      master.stdin.end()
      await master
    },
  }
}

/**
 * The way to a host that `login` has opened, also in another process.
 * @param folder the same folder
 */
export function linkTo(target: HostTarget, folder: string): HostLink {
  return target.kind === "local" ? localLink(target) : sshLink(target, folder)
}

function localLink(target: HostTarget): HostLink {
  return {
    target,
    shell: (line) => ["sh", "-c", line],
    connect: (port, host) => opened(connect({ port, host, allowHalfOpen: true }), `${host}:${port}`),
  }
}

/** Commands and forwards of ports use the control socket of the one connection. */
function sshLink(target: SshTarget, folder: string): HostLink {
  const sockets = new Map<string, Promise<string>>()
  /** The socket on this host that leads to an address of the host. Only this user can enter its folder. */
  const socketTo = (address: string): Promise<string> => {
    const known = sockets.get(address)
    if (known !== undefined) return known
    const path = join(folder, `port-${process.pid}-${sockets.size}`)
    const words = throughWords(target, folder, ["-O", "forward", "-L", `${path}:${address}`])
    const opening = execa("ssh", words, { reject: false, stdin: "ignore" }).then(({ failed, stderr }) => {
      if (failed && /Control socket connect|No such file/.test(stderr)) throw new HostLostError(target)
      if (failed) throw new MachineError(`ssh does not lead to ${address}: ${stderr.trim()}.`, "Try it again.", "")
      return path
    })
    sockets.set(address, opening)
    opening.catch(() => sockets.delete(address))
    return opening
  }
  return {
    target,
    shell: (line) => ["ssh", ...throughWords(target, folder), `exec sh -c ${quote([line])}`],
    connect: async (port, host) => {
      const address = `${host.includes(":") ? `[${host}]` : host}:${port}`
      const socket = connect({ path: await socketTo(address), allowHalfOpen: true })
      return checked(await opened(socket, address), address)
    },
  }
}

/**
 * A connection through ssh. ssh accepts it first, and closes it without a word if the host cannot open its part: then it
 * ends with an error.
 */
function checked(socket: Socket, address: string): Duplex {
  const inbound = new Transform({
    transform: (chunk: Buffer, _, done) => done(null, chunk),
    flush: (done) => done(socket.bytesRead === 0 && !socket.writableEnded ? refused(address, "ECONNREFUSED") : null),
  })
  socket.on("error", (error) => inbound.destroy(error)).pipe(inbound)
  return Duplex.from({ readable: inbound, writable: socket })
}

/** Resolves when a socket is connected. */
function opened(socket: Socket, address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket
      .once("connect", () => resolve(socket))
      .on("error", (error: NodeJS.ErrnoException) => reject(refused(address, error.code ?? error.message)))
  })
}

function refused(address: string, code: string): MachineError {
  return new MachineError(
    `${address}: ${code === "ECONNREFUSED" ? "connection refused" : code}.`,
    "No process listens there, or sshd forwards no ports (AllowTcpForwarding).",
    code,
  )
}

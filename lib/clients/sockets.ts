import type { Machine } from "../machines/machine.ts"

/** A TCP socket of the machine, and the process that holds it. */
export interface TcpSocket {
  readonly local: string
  readonly peer: string
  readonly pid: number
  /** The program's name. The kernel keeps its first 15 characters only. */
  readonly program: string
}

/** The sockets that listen on a port (ss -tlnp). */
export function listeners(machine: Machine, port: number): Promise<TcpSocket[]> {
  return sockets(machine, ["--listening", "sport", "=", `:${port}`])
}

/**
 * The established connections that a process has opened (ss -tnp). Connections that it has accepted, such as those of a
 * health probe, have one of its listening ports as local port.
 */
export async function connectionsOf(machine: Machine, pid: number): Promise<TcpSocket[]> {
  const [listening, established] = await Promise.all([sockets(machine, ["--listening"]), sockets(machine, [])])
  const own = listening.filter((socket) => socket.pid === pid).map(({ local }) => portOf(local))
  return established.filter(({ pid: holder, local }) => holder === pid && !own.includes(portOf(local)))
}

/** The addresses on which a process listens, host:port, as a client on the same machine reaches them. */
export async function portsOf(machine: Machine, pid: number): Promise<string[]> {
  const own = (await sockets(machine, ["--listening"])).filter((socket) => socket.pid === pid)
  return [...new Set(own.map(({ local }) => local.replace(/^(?:\*|0\.0\.0\.0|\[::\])(?=:\d+$)/, "127.0.0.1")))]
}

/** The port of an address; "" where it has none. */
export function portOf(address: string): string {
  return /:(\d+)$/.exec(address)?.[1] ?? ""
}

/** The established connections whose peer has this port (ss -tnp dport = :PORT). */
export function connectionsTo(machine: Machine, port: number): Promise<TcpSocket[]> {
  return sockets(machine, ["dport", "=", `:${port}`])
}

/** The TCP sockets that ss lists with the given options and filter. */
export async function sockets(machine: Machine, filter: readonly string[]): Promise<TcpSocket[]> {
  const { stdout } = await machine.run(["ss", "--tcp", "--numeric", "--processes", "--no-header", ...filter])
  return stdout.split("\n").flatMap((line) => {
    const holders = [...line.matchAll(/\("([^"]*)",pid=(\d+)/g)].map(([, program = "", pid]) => ({
      program,
      pid: Number(pid),
    }))
    // A process that starts a program forks first: for a moment two processes hold the socket, and ss lists the child
    // first.
    const holder = holders.filter(({ program }) => program === holders[0]?.program).toSorted((a, b) => a.pid - b.pid)[0]
    const fields = line.trim().split(/\s+/)
    const [local, peer] = fields.slice(3, 5)
    if (holder === undefined || local === undefined || peer === undefined) return []
    return [{ local, peer, ...holder }]
  })
}

// The connection between a test process and the agent in a container. It uses TLS with a pre-shared key (RFC 4279), so
// that
// only clients with the run's key can connect. This is necessary because an engine can publish a port on all addresses
// of its
// host.
import type { Socket } from "node:net"
import { connect, createServer, type Server } from "node:tls"

/** The port of the container that the engine publishes. */
export const PORT = 7233

/** The address of the published port, and its key. */
export interface Address {
  readonly host: string
  readonly port: number
  /** Hexadecimal. */
  readonly key: string
}

const IDENTITY = "byhand"
// Node supports pre-shared keys only up to TLS 1.2.
const OPTIONS = { ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

/** Opens a connection. Data that is written before the connection is open is sent later. */
export function dialLine({ host, port, key }: Address): Socket {
  return connect({
    ...OPTIONS,
    host,
    port,
    pskCallback: () => ({ psk: Buffer.from(key, "hex"), identity: IDENTITY }),
    checkServerIdentity: () => undefined,
  })
}

/** A server for clients that have the key. */
export function answerLine(key: string, onConnection: (socket: Socket) => void): Server {
  return createServer({ ...OPTIONS, pskCallback: () => Buffer.from(key, "hex") }, onConnection)
}

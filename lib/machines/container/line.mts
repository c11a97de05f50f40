// The connection between a test process and what is in a container: encrypted, and open only to those who have the run's
// key (RFC 4279, TLS with a pre-shared key), since an engine may publish a port on every address that it has.
import type { Socket } from "node:net"
import { connect, createServer, type Server } from "node:tls"

/** The port inside of a container that its engine publishes. */
export const PORT = 7233

/** Where the published port is, and what opens it. */
export interface Address {
  readonly host: string
  readonly port: number
  /** Hexadecimal. */
  readonly key: string
}

const IDENTITY = "byhand"
// Node has pre-shared keys up to TLS 1.2 only.
const OPTIONS = { ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

/** Opens a connection; what is written before it stands is sent then. */
export function dialLine({ host, port, key }: Address): Socket {
  return connect({
    ...OPTIONS,
    host,
    port,
    pskCallback: () => ({ psk: Buffer.from(key, "hex"), identity: IDENTITY }),
    checkServerIdentity: () => undefined,
  })
}

/** Answers those who have the key. */
export function answerLine(key: string, onConnection: (socket: Socket) => void): Server {
  return createServer({ ...OPTIONS, pskCallback: () => Buffer.from(key, "hex") }, onConnection)
}

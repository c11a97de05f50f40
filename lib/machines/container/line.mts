// The connection between a test process and the agent in a container. It uses TLS with a pre-shared key (RFC 4279), so
// that
// only clients with the run's key can connect. This is necessary because an engine can publish a port on all addresses
// of its
// host.
import type { Socket } from "node:net"
import { createInterface } from "node:readline"
import { text } from "node:stream/consumers"
import { connect, createServer, type Server } from "node:tls"
import type { Answer } from "../requests.mts"

/** The port of the container that the engine publishes. */
export const PORT = 7233

/** The address of the published port, and its key. */
export interface Address {
  readonly host: string
  readonly port: number
  /** Hexadecimal. */
  readonly key: string
}

/** Whom a client wants: the agent of a machine by its name, or the network that the machines share. */
type Wanted = string
const FIRST: Wanted = "byhand"
const NETWORK: Wanted = "network"
// Node supports pre-shared keys only up to TLS 1.2.
const OPTIONS = { ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

/**
 * Opens a connection to the agent of a machine. Data that is written before the connection is open is sent later.
 * @param wanted the name of a further machine; by default the first machine
 */
export function dialLine({ host, port, key }: Address, wanted: Wanted = FIRST): Socket {
  return connect({
    ...OPTIONS,
    host,
    port,
    pskCallback: () => ({ psk: Buffer.from(key, "hex"), identity: wanted }),
    checkServerIdentity: () => undefined,
  })
}

/** Sends a request to the network of the machines. @returns undefined if the machines have ended */
export async function askLine(address: Address, words: readonly string[]): Promise<Answer | undefined> {
  const line = dialLine(address, NETWORK)
  line.write(`${words.join(" ")}\n`)
  const answer = await text(line).catch(() => "")
  return answer === "" ? undefined : (JSON.parse(answer) as Answer) // The project's own program wrote it.
}

/** What a server does with its clients. */
export interface Answers {
  /** @param name the name of a further machine; undefined for the first machine */
  readonly connect: (socket: Socket, name: string | undefined) => void
  /** Carries out a request to the network. */
  readonly ask: (words: readonly string[]) => Promise<Answer | undefined>
}

/** A server for clients that have the key. */
export function answerLine(key: string, { connect: connected, ask }: Answers): Server {
  const wanted = new WeakMap<Socket, Wanted>()
  return createServer(
    {
      ...OPTIONS,
      pskCallback: (socket, identity) => {
        wanted.set(socket, identity)
        return Buffer.from(key, "hex")
      },
    },
    (socket) => {
      const name = wanted.get(socket)
      if (name !== NETWORK) return connected(socket, name === FIRST ? undefined : name)
      socket.on("error", () => undefined) // The client has ended.
      createInterface(socket).once("line", (request) => {
        ask(request.split(" ")).then(
          (answer) => socket.end(answer === undefined ? "" : JSON.stringify(answer)),
          () => socket.destroy(),
        )
      })
    },
  )
}

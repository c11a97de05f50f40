import { request, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"
import { connect as tlsConnect } from "node:tls"
import type { Machine } from "../machines/machine.ts"

export interface GetOptions {
  readonly port: number
  readonly host?: string
  readonly path: string
  /** Speaks TLS, and only with a server whose certificate this CA has signed for the host. */
  readonly ca?: Buffer
  /** Speaks TLS, and only with a server that shows one of these certificates itself, or one that they have signed; whatever names it has. */
  readonly pin?: Buffer
  readonly token?: string
  /** Milliseconds for the whole of it; 5,000 by default. */
  readonly timeout?: number
}

/**
 * One GET request to a port as the machine sees it.
 * @throws where nobody listens, nobody answers in time, or the certificate does not hold
 */
export async function httpGet(
  machine: Machine,
  { port, host = "127.0.0.1", path, ca, pin, token, timeout = 5_000 }: GetOptions,
): Promise<{ status: number; body: string }> {
  const plain = await machine.connect(port, host)
  try {
    const socket =
      ca !== undefined
        ? tlsConnect({ socket: plain, ca, host })
        : pin !== undefined
          ? tlsConnect({ socket: plain, ca: pin, allowPartialTrustChain: true, checkServerIdentity: () => undefined })
          : plain
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      socket.on("error", reject)
      request({
        path,
        host,
        signal: AbortSignal.timeout(timeout),
        createConnection: () => socket,
        headers: { connection: "close", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      })
        .on("response", resolve)
        .on("error", reject)
        .end()
      socket.resume() // A machine hands its connections over paused.
    })
    return { status: response.statusCode ?? 0, body: await text(response) }
  } finally {
    plain.destroy()
  }
}

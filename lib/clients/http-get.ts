import { request, type IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { text } from "node:stream/consumers"
import { connect as tlsConnect } from "node:tls"
import type { Machine } from "../machines/machine.ts"

export interface GetOptions {
  readonly port: number
  readonly host?: string
  readonly path: string
  /** Speaks TLS. Without `ca` and `pin` any certificate will do: the caller must know by other means which process answers. */
  readonly isTls?: boolean
  /** Speaks TLS, and only with a server whose certificate this CA has signed for the host. */
  readonly ca?: Buffer | undefined
  /** The name that the server's certificate must be for; the host by default. */
  readonly serverName?: string | undefined
  /** Speaks TLS, and only with a server that shows one of these certificates itself, or one that they have signed. Names are not compared. */
  readonly pin?: Buffer | undefined
  /** What the client shows a server that asks for a certificate. */
  readonly certificate?: Buffer | undefined
  readonly key?: Buffer | undefined
  readonly token?: string | undefined
  /** Milliseconds for the whole of it; 5,000 by default. */
  readonly timeout?: number
}

/**
 * One GET request to a port as the machine sees it.
 * @throws where no process listens, the answer is late, or the certificate does not hold
 */
export async function httpGet(machine: Machine, options: GetOptions): Promise<{ status: number; body: string }> {
  const { port, host = "127.0.0.1", path, token, timeout = 5_000 } = options
  const plain = await machine.connect(port, host)
  try {
    const socket = secured(plain, host, options)
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

/** The connection with TLS over it, where that is asked for. */
function secured(
  plain: Duplex,
  host: string,
  { isTls = false, ca, pin, serverName = host, certificate, key }: GetOptions,
): Duplex {
  if (!isTls && ca === undefined && pin === undefined) return plain
  const shown = certificate === undefined || key === undefined ? {} : { cert: certificate, key }
  if (ca !== undefined) return tlsConnect({ socket: plain, ca, host: serverName, ...shown })
  const unnamed = { socket: plain, checkServerIdentity: () => undefined, ...shown }
  return pin === undefined
    ? tlsConnect({ ...unnamed, rejectUnauthorized: false })
    : tlsConnect({ ...unnamed, ca: pin, allowPartialTrustChain: true })
}

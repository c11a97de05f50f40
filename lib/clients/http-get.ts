import { request, type IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { text } from "node:stream/consumers"
import { connect as tlsConnect } from "node:tls"
import type { Machine } from "../machines/machine.ts"

export interface GetOptions {
  readonly port: number
  readonly host?: string
  readonly path: string
  /**
   * Use TLS. Without `ca` and `pin` every certificate is accepted: then the caller must check in another way which
   * process answers.
   */
  readonly isTls?: boolean
  /** Use TLS. The certificate of the server must be signed by this CA and contain the host. */
  readonly ca?: Buffer | undefined
  /** The name that the certificate of the server must contain; by default the host. */
  readonly serverName?: string | undefined
  /**
   * Use TLS. The server must present one of these certificates, or a certificate that one of them has signed. Names are
   * not compared.
   */
  readonly pin?: Buffer | undefined
  /** The client certificate, for a server that requests one. */
  readonly certificate?: Buffer | undefined
  readonly key?: Buffer | undefined
  readonly token?: string | undefined
  /** The longest time for the connection, the request and the answer (milliseconds); by default 5,000. */
  readonly timeout?: number
}

/**
 * Sends one GET request to a port of the machine.
 * @throws if no process listens, if the timeout passes, or if the certificate of the server is not accepted
 */
export async function httpGet(machine: Machine, options: GetOptions): Promise<{ status: number; body: string }> {
  const { port, host = "127.0.0.1", path, token, timeout = 5_000 } = options
  const late = AbortSignal.timeout(timeout)
  let plain: Duplex | undefined
  try {
    plain = await connected(machine.connect(port, host), late)
    const socket = secured(plain, host, options)
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      socket.on("error", reject)
      request({
        path,
        host,
        signal: late,
        createConnection: () => socket,
        headers: { connection: "close", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      })
        .on("response", resolve)
        .on("error", reject)
        .end()
      socket.resume() // A connection that a machine returns is paused.
    })
    return { status: response.statusCode ?? 0, body: await text(response) }
  } catch (error) {
    if (!late.aborted) throw error
    throw new Error(`no answer within ${(timeout / 1000).toFixed(1).replace(".0", "")} s`, { cause: error })
  } finally {
    plain?.destroy()
  }
}

/** The connection. If the signal comes first, it is closed as soon as it is there: the kernel tries for two minutes. */
function connected(connecting: Promise<Duplex>, late: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    late.addEventListener("abort", () => {
      reject(new Error("the connection was not established", { cause: late.reason }))
      connecting.then(
        (socket) => socket.destroy(),
        () => undefined,
      )
    })
    connecting.then(resolve, reject)
  })
}

/** The connection, with TLS if the options require it. */
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

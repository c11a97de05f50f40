/** The host and port on which a component listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** The address in "https://host:port", "host:port", "[::1]:port" or ":port". */
export function addressIn(url: string, fallback: number): Address {
  const [, host, port] = /^(?:https?:\/\/)?(\[[^\]]+\]|[^:/]*)(?::(\d+))?/.exec(url) ?? []
  return { host: reachable(host), port: Number(port ?? fallback) }
}

/**
 * The host at which clients reach a component. If the component listens on all addresses, that is the loopback address.
 */
export function reachable(host: string | undefined): string {
  return host === undefined || ["", "localhost", "0.0.0.0", "::", "[::]"].includes(host) ? "127.0.0.1" : host
}

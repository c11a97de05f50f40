/** How a probe uses TLS with a component. Paths are on its machine. */
export interface ProbeTls {
  /**
   * The server must present one of the certificates in these files, or a certificate that one of them has signed. If
   * the list is empty, every certificate is accepted: then the caller checks which process holds the port.
   */
  readonly trust: readonly string[]
  /** The client certificate, for a server that requests one. */
  readonly certificate?: string
  readonly key?: string
}

/** A GET request that a component answers with status 200 if it is ready. */
export interface HttpProbe {
  readonly by: "http"
  readonly host: string
  readonly port: number
  readonly path: string
  /** undefined for HTTP without TLS. */
  readonly tls?: ProbeTls
  /** Whether the request uses the credentials and the CA of an administrator's kubeconfig. */
  readonly asAdministrator?: boolean
}

/** A command that succeeds if a component is ready. */
export interface CommandProbe {
  readonly by: "command"
  readonly argv: readonly string[]
}

/**
 * The question that shows whether a component is ready, and later whether it is well, as data. lib/clients/probe.ts
 * asks it.
 */
export type Probe = HttpProbe | CommandProbe

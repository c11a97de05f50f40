/** How TLS is spoken with a component. Paths are of files on its machine. */
export interface ProbeTls {
  /**
   * The server must show one of the certificates in these files, or one that they have signed. Where there are none, any
   * certificate will do: the process that holds the port is checked then.
   */
  readonly trust: readonly string[]
  /** What the client shows, where the server asks for it. */
  readonly certificate?: string
  readonly key?: string
}

/** A GET request that a component answers with 200 where it is ready. */
export interface HttpProbe {
  readonly by: "http"
  readonly host: string
  readonly port: number
  readonly path: string
  /** undefined for http. */
  readonly tls?: ProbeTls
  /** Whether an administrator asks, by the credentials and the CA of a kubeconfig. */
  readonly asAdministrator?: boolean
}

/** A command that succeeds where a component is ready. */
export interface CommandProbe {
  readonly by: "command"
  readonly argv: readonly string[]
}

/** How to know that a component is ready, and later that it is well: the same question, as data. lib/clients/probe.ts asks it. */
export type Probe = HttpProbe | CommandProbe

import type { Component } from "./component.ts"

export interface EtcdOptions {
  readonly dataDir: string
  /** Port on loopback for clients. */
  readonly port: number
}

/** etcd with one member, as the workshop starts it. https://etcd.io/docs/latest/op-guide/configuration/ */
export function etcd({ dataDir, port }: EtcdOptions): Component {
  const client = `http://127.0.0.1:${port}`
  return {
    name: "etcd",
    binary: "etcd",
    flags: [
      { flag: "--data-dir", value: dataDir },
      { flag: "--listen-client-urls", value: client },
      { flag: "--advertise-client-urls", value: client },
      { flag: "--heartbeat-interval", value: "10", why: "a single member hears nobody: it may elect itself at once" },
      {
        flag: "--election-timeout",
        value: "100",
        why: "at most a tenth of a second until it does; ten heartbeats are the least that etcd takes",
      },
    ],
    files: [],
    port,
    ready: { by: "http", port, path: "/health", tls: false },
    lesson: 1,
  }
}

import type { ComponentSpec } from "./spec.ts"

/** Its port on loopback for clients. */
export const ETCD_PORT = 2379
const CLIENTS = `http://127.0.0.1:${ETCD_PORT}`

/** etcd with one member, as the workshop starts it. https://etcd.io/docs/latest/op-guide/configuration/ */
export const etcd: ComponentSpec<"etcd"> = {
  name: "etcd",
  program: "etcd",
  scriptWord: "etcd",
  after: [],
  requires: [],
  tools: ["etcd", "etcdctl", "etcdutl"],
  absence: "nothing can be read or written in the cluster",
  describe: () => ({
    name: "etcd",
    binary: "etcd",
    flags: [
      { flag: "--data-dir", value: "/var/lib/etcd" },
      { flag: "--listen-client-urls", value: CLIENTS },
      { flag: "--advertise-client-urls", value: CLIENTS },
      {
        flag: "--heartbeat-interval",
        value: "10",
        why: "a single member has no other member to hear from: it may elect itself at once",
      },
      {
        flag: "--election-timeout",
        value: "100",
        why: "at most a tenth of a second until it does; ten heartbeats are the least that etcd takes",
      },
    ],
    files: [],
    port: ETCD_PORT,
    ready: { by: "http", port: ETCD_PORT, path: "/health", tls: false },
  }),
}

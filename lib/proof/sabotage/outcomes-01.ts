import { writer } from "./meddlers.ts"
import { listen, type Sabotage } from "./sabotage.ts"

const ADDRESS = "http://127.0.0.1:2379"

/** Sabotages that break an outcome of lesson 01: etcd starts, but another program changes the outcome. */
export const outcomes01: readonly Sabotage[] = [
  {
    id: "etcd-port-shared",
    breaks: "another program listens on etcd's port at the machine's second address",
    script: listen(2379, "10.77.0.2"),
    fails: ["01 the process that listens"],
    until: 1,
    finding: "stranger-on-the-port",
  },
  {
    id: "etcd-data-of-another-cluster",
    breaks: "etcd's data folder contains the data of an earlier cluster",
    script: `etcd --data-dir=/var/lib/etcd --listen-client-urls=${ADDRESS} --advertise-client-urls=${ADDRESS} >/dev/null 2>&1 &
until etcdctl put /registry/configmaps/default/old '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"old","namespace":"default"}}' 2>/dev/null; do sleep 0.1; done
kill $!
while pidof etcd; do sleep 0.05; done`,
    fails: ["01 nothing lies under"],
    until: 2,
    finding: "data-folder-of-another-cluster",
  },
  {
    id: "etcd-written-to",
    breaks: "another program also writes to etcd",
    before: "01 each put",
    script: writer("/noise"),
    fails: ["01 each put"],
    until: 1,
    finding: "stranger-at-etcd",
  },
  {
    id: "etcd-data-removed",
    breaks: "etcd's data is deleted while etcd runs",
    before: "01 the key outlives",
    script: "rm -r /var/lib/etcd/member",
    fails: ["01 the key outlives"],
    until: 1,
    finding: "started-empty",
  },
]

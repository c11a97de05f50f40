import { flags, type Sabotage } from "./sabotage.ts"

/**
 * Sabotages that break an outcome of lesson 02: kube-apiserver starts, but a flag or another program changes the
 * outcome.
 */
export const outcomes02: readonly Sabotage[] = [
  {
    id: "namespace-deleted",
    breaks: "a namespace that kube-apiserver created is deleted, and no controller completes the deletion",
    before: "02 the built-in",
    script: "kubectl delete namespace kube-node-lease --wait=false",
    fails: ["02 the built-in"],
    until: 2,
    finding: "namespace-terminating",
  },
  {
    id: "keys-under-another-prefix",
    breaks: "kube-apiserver stores all objects under another key prefix",
    component: { "kube-apiserver": flags({ "--etcd-prefix": "/kubernetes" }) },
    fails: [
      "02 what kube-apiserver",
      "02 the namespaces that",
      "02 a namespace written",
      "03 a ConfigMap that",
      "03 resourceVersion",
      "03 an update",
      "03 a Secret lies",
      "03 with protobuf",
    ],
    until: 3,
    finding: "keys-under-another-prefix",
  },
  {
    id: "etcd-watched",
    breaks: "another program is connected to etcd",
    before: "02 by its sockets",
    script:
      "etcdctl watch / --prefix >/dev/null 2>&1 &\nuntil ss -Htnp dport = :2379 | grep -q '\"etcdctl\"'; do sleep 0.05; done",
    fails: ["02 by its sockets"],
    until: 2,
    finding: "stranger-at-etcd",
  },
]

import { flags, type Sabotage } from "./sabotage.ts"

/** What kube-apiserver itself does right, and a flag or somebody else spoils. */
export const outcomes02: readonly Sabotage[] = [
  {
    id: "namespace-deleted",
    breaks: "somebody deletes a namespace that kube-apiserver has made, and nobody finishes it",
    before: "02 the built-in",
    script: "kubectl delete namespace kube-node-lease --wait=false",
    fails: ["02 the built-in"],
    until: 2,
    finding: "namespace-terminating",
  },
  {
    id: "keys-under-another-prefix",
    breaks: "kube-apiserver keeps everything under another prefix",
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

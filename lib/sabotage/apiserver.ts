import { flags, type Sabotage } from "./sabotage.ts"

export const apiserver: readonly Sabotage[] = [
  { id: "etcd-on-another-port", breaks: "kube-apiserver looks for etcd where nothing listens",
    component: { "kube-apiserver": flags({ "--etcd-servers": "http://127.0.0.1:2399" }) },
    fails: ["02 kube-apiserver starts"], blocks: 2, finding: "etcd-unreachable" },
]

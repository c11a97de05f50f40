import type { Sabotage } from "./sabotage.ts"

export const outcomes01: readonly Sabotage[] = [
  { id: "somebody-wrote-before", breaks: "a key lies under /registry before kube-apiserver has run",
    before: "01 nothing lies under", script: "etcdctl put /registry/left over",
    fails: ["01 nothing lies under"], finding: "none" },
]

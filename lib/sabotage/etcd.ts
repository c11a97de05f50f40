import type { Sabotage } from "./sabotage.ts"

export const etcd: readonly Sabotage[] = []

import type { Sabotage } from "./sabotage.ts"

export const kubelet: readonly Sabotage[] = []

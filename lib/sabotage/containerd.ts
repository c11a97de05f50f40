import type { Sabotage } from "./sabotage.ts"

export const containerd: readonly Sabotage[] = []

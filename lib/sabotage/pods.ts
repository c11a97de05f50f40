import type { Sabotage } from "./sabotage.ts"

export const pods: readonly Sabotage[] = []

import type { Sabotage } from "./sabotage.ts"

export const outcomes06: readonly Sabotage[] = []

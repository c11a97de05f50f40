import type { Sabotage } from "./sabotage.ts"

export const outcomes07: readonly Sabotage[] = []

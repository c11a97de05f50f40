import type { Sabotage } from "./sabotage.ts"

export const outcomes04: readonly Sabotage[] = []

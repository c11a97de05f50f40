import type { Sabotage } from "./sabotage.ts"

export const outcomes03: readonly Sabotage[] = []

import type { Sabotage } from "./sabotage.ts"

export const outcomes02: readonly Sabotage[] = []

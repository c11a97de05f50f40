import type { Sabotage } from "./sabotage.ts"

export const outcomes05: readonly Sabotage[] = []

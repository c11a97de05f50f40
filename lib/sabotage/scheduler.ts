import type { Sabotage } from "./sabotage.ts"

export const scheduler: readonly Sabotage[] = []

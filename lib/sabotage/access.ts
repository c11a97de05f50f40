import type { Sabotage } from "./sabotage.ts"

export const access: readonly Sabotage[] = []

import type { Sabotage } from "./sabotage.ts"

export const network: readonly Sabotage[] = []

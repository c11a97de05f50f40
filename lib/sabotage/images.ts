import type { Sabotage } from "./sabotage.ts"

export const images: readonly Sabotage[] = []

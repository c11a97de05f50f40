import type { Symptom } from "../symptom.ts"

export const network: readonly Symptom[] = [
]

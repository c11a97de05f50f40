import type { Symptom } from "../symptom.ts"

export const access: readonly Symptom[] = [
]

import type { Symptom } from "../symptom.ts"

export const pods: readonly Symptom[] = [
]

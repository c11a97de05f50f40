import type { Symptom } from "../symptom.ts"

export const absent: readonly Symptom[] = [
]

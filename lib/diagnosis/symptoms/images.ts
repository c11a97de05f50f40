import type { Symptom } from "../symptom.ts"

export const images: readonly Symptom[] = [
]

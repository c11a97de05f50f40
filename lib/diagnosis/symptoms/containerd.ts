import type { Symptom } from "../symptom.ts"

export const containerd: readonly Symptom[] = [
]

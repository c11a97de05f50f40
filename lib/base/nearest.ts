import { distance } from "fastest-levenshtein"

/** The candidate with the smallest edit distance from what was given. There must be at least one candidate. */
export function nearest(given: string, candidates: readonly string[]): string {
  return candidates.reduce((best, candidate) => (distance(given, candidate) < distance(given, best) ? candidate : best))
}

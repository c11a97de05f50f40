import { distance } from "fastest-levenshtein"

/** The candidate that takes the fewest edits to become; candidates must not be empty. */
export function nearest(given: string, candidates: readonly string[]): string {
  return candidates.reduce((best, candidate) => (distance(given, candidate) < distance(given, best) ? candidate : best))
}

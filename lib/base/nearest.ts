import { distance } from "fastest-levenshtein"

/** The largest part of a word that may differ from the word that was meant. */
const LARGEST_PART = 1 / 3

/** The candidate with the smallest edit distance from what was given. There must be at least one candidate. */
export function nearest(given: string, candidates: readonly string[]): string {
  return candidates.reduce((best, candidate) => (distance(given, candidate) < distance(given, best) ? candidate : best))
}

/**
 * The nearest candidate, if so few of its characters differ that it can be a slip of the keyboard. A suggestion that
 * was not meant is worse than none.
 */
export function near(given: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined
  const best = nearest(given, candidates)
  const isNear = distance(given, best) <= Math.max(1, Math.floor(best.length * LARGEST_PART))
  return isNear || isSwapped(given, best) ? best : undefined
}

/** Whether two neighbouring characters are swapped: one slip, but two edits. */
function isSwapped(given: string, meant: string): boolean {
  let at = 0
  while (at < given.length && given[at] === meant[at]) at++
  return given.slice(0, at) + (given[at + 1] ?? "") + (given[at] ?? "") + given.slice(at + 2) === meant
}

/** The beginning of a remedy, "Did you mean …? "; empty if no candidate is near. */
export function didYouMean(given: string, candidates: readonly string[]): string {
  const best = near(given, candidates)
  return best === undefined ? "" : `Did you mean ${best}? `
}

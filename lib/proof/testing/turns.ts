import { drawFrom } from "../draw.ts"

/**
 * Of work that takes turns, what this run does: all, or one part of `parts` (rounded up) if OWN_TESTS_SEED selects
 * one. The pipeline passes the commit's hash, so that each has its turn from time to time. The hosted workflow does
 * all of it every night.
 */
export function inThisRun(names: readonly string[], parts: number): string[] {
  const seed = process.env["OWN_TESTS_SEED"]
  if (seed === undefined) return [...names]
  const draw = drawFrom(seed)
  return names.toSorted((a, b) => draw(a) - draw(b)).slice(0, Math.ceil(names.length / parts))
}

import { createHash } from "node:crypto"
import { drawFrom } from "../draw.ts"
import type { Affected } from "./affected.ts"
import type { Sabotage } from "./sabotage.ts"

/** The limits for a choice among all sabotages. */
export interface Limits {
  /** The percentage of all sabotages that run even if the change does not affect them. */
  readonly share: number
  /**
   * The seed selects which share runs: the same seed selects the same sabotages. A commit's hash gives each commit
   * another share.
   */
  readonly seed: string
  /** The largest number of sabotages that run. */
  readonly atMost: number
}

/** The sabotages that run, and the reasons for this choice. */
export interface Choice {
  readonly chosen: readonly Sabotage[]
  /** Lines for a person. */
  readonly reasons: readonly string[]
}

/**
 * Chooses the sabotages that a change affects, the nearest first, and a share of all sabotages. The share always runs,
 * even if there are more affected sabotages than the limit allows. So each sabotage runs from time to time.
 */
export function choose(
  all: readonly Sabotage[],
  affected: readonly Affected[],
  { share, seed, atMost }: Limits,
): Choice {
  const draw = drawFrom(seed)
  const order = (sabotages: readonly Sabotage[]) => sabotages.toSorted((a, b) => draw(a.id) - draw(b.id))
  const rotated = shareOf(all, share, seed)
  const direct = affected.filter(({ distance }) => distance === 0).map(({ sabotage }) => sabotage)
  const imported = affected.filter(({ distance }) => distance > 0 && distance < Infinity)
  const general = affected.filter(({ distance }) => distance === Infinity).map(({ sabotage }) => sabotage)
  const distances = [...new Set(imported.map(({ distance }) => distance))].toSorted((a, b) => a - b)
  const byImports = distances.flatMap((each) =>
    order(imported.filter(({ distance }) => distance === each).map(({ sabotage }) => sabotage)),
  )
  const ranked = [...new Set([...order(direct), ...byImports, ...order(general)])]
  const places = Math.max(0, atMost - rotated.length)
  const near = ranked.filter((sabotage) => !rotated.includes(sabotage)).slice(0, places)
  const isChosen = new Set([...rotated, ...near].slice(0, atMost))
  const chosen = all.filter((sabotage) => isChosen.has(sabotage))
  const left = all.filter((sabotage) => !isChosen.has(sabotage))
  const isAffected = new Set(ranked)
  const ids = (sabotages: readonly Sabotage[]) => sabotages.map(({ id }) => id).join(" ")
  return {
    chosen,
    reasons: [
      `${affected.length} of ${all.length} sabotages are affected by the change: ${direct.length} by their own files, ${imported.length} through imports, ${general.length} through files that every proof uses.`,
      `Chosen by the seed ${seed}, as a share of ${share} %: ${ids(rotated)}`,
      `Chosen because the change affects them: ${ids(near) || "none"}`,
      `${left.length} do not run here: ${left.filter((one) => isAffected.has(one)).length} that are affected, because the limit is ${atMost}, and ${left.filter((one) => !isAffected.has(one)).length} that are not affected. The hosted workflow runs all of them every night.`,
      ...(left.length === 0 ? [] : [`Not run: ${ids(left)}`]),
    ],
  }
}

/** Divides all sabotages into groups of this percentage, and returns the group that the seed selects. */
function shareOf(all: readonly Sabotage[], share: number, seed: string): Sabotage[] {
  if (share <= 0) return []
  const groups = Math.max(1, Math.round(100 / share))
  const group = Number.parseInt(hash(seed).slice(0, 8), 16) % groups
  // The hash of the id decides the group, so that a new sabotage does not move the others to another group.
  return all.filter(({ id }) => Number.parseInt(hash(id).slice(0, 8), 16) % groups === group)
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

import { createHash } from "node:crypto"
import type { Affected } from "./affected.ts"
import type { Sabotage } from "./sabotage.ts"

/** What limits a choice among all sabotages. */
export interface Limits {
  /** Percent of the sabotages that are not affected; they are run all the same. */
  readonly share: number
  /** Which share it is: the same seed chooses the same sabotages. A commit's hash gives each commit another share. */
  readonly seed: string
  /** How many are run at most. */
  readonly atMost: number
}

/** Which sabotages are run, and why; and how many are not. */
export interface Choice {
  readonly chosen: readonly Sabotage[]
  /** Lines for a person. */
  readonly reasons: readonly string[]
}

/**
 * Chooses the sabotages that a change affects, the nearest first, and a share of the others. The share has its place
 * even where the affected ones would fill the limit: no sabotage is left out for ever.
 */
export function choose(
  all: readonly Sabotage[],
  affected: readonly Affected[],
  { share, seed, atMost }: Limits,
): Choice {
  const order = (sabotages: readonly Sabotage[]) =>
    sabotages.toSorted((a, b) => (hash(`${seed} ${a.id}`) < hash(`${seed} ${b.id}`) ? -1 : 1))
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
      `${affected.length} of ${all.length} sabotages are affected by the change: ${direct.length} by their own files, ${imported.length} through imports, ${general.length} through what every proof uses.`,
      `The share of ${share} % that the seed ${seed} chooses: ${ids(rotated)}`,
      `Chosen because they are affected: ${ids(near) || "none"}`,
      `${left.length} are not run here: ${left.filter((one) => isAffected.has(one)).length} that are affected, because of the limit of ${atMost}, and ${left.filter((one) => !isAffected.has(one)).length} that are not affected. The hosted workflow runs all of them every night.`,
      ...(left.length === 0 ? [] : [`Not run: ${ids(left)}`]),
    ],
  }
}

/** Divides all sabotages into groups of this percentage, and takes the group that the seed names. */
function shareOf(all: readonly Sabotage[], share: number, seed: string): Sabotage[] {
  if (share <= 0) return []
  const groups = Math.max(1, Math.round(100 / share))
  const group = Number.parseInt(hash(seed).slice(0, 8), 16) % groups
  // By the ids' hashes, so that a new sabotage does not move the others to another group.
  return all.filter(({ id }) => Number.parseInt(hash(id).slice(0, 8), 16) % groups === group)
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

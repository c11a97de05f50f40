import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import { diagnose } from "../../diagnosis/diagnose.ts"
import type { Observation } from "../../diagnosis/observation.ts"
import type { Sabotage } from "./sabotage.ts"

/** The folder with the observations of broken machines, one file for each sabotage. */
export const RECORDINGS = join(packageRoot, "fixtures", "observations")

/** The folder in which the observations of one sabotage are recorded during its proof. */
export function workFolder(base: string, { id }: Pick<Sabotage, "id">): string {
  return join(base, id)
}

/**
 * The ids of the findings that a diagnosis gives. For the doctor these are all findings, for the lessons only the first
 * one. "none": the lessons get no finding.
 */
export function foundIn(seen: Observation, { fails }: Sabotage): readonly string[] {
  const ids = diagnose(seen).map(({ id }) => id)
  if (fails.length === 0) return ids
  return [ids[0] ?? "none"]
}

/** How many lines of each log a short recording keeps: from the beginning and from the end. */
const LENGTHS = [
  [2, 4],
  [6, 12],
] as const

/** A recording with the shortest logs that give the same findings in the same words. */
function shortest(text: string): string {
  const seen = JSON.parse(text) as Observation // Written by record.ts.
  const findings = JSON.stringify(diagnose(seen))
  for (const [head, tail] of LENGTHS) {
    const components = seen.components.map((component) => ({
      ...component,
      log: component.log.filter((_, at, { length }) => at < head || at >= length - tail),
    }))
    if (JSON.stringify(diagnose({ ...seen, components })) === findings)
      return `${JSON.stringify({ ...seen, components }, undefined, 1)}\n`
  }
  return text
}

/**
 * Stores the first recording of a sabotage that leads to the predicted finding, and removes the others.
 * @param base the folder that contains the recordings
 * @returns what is wrong; undefined if a recording was stored
 */
export function keepRecording(base: string, sabotage: Sabotage): string | undefined {
  const folder = workFolder(base, sabotage)
  let names: string[]
  try {
    names = readdirSync(folder).toSorted()
  } catch {
    return "no diagnosis recorded its observation"
  }
  const texts = names.map((name) => readFileSync(join(folder, name), "utf8"))
  // Written by record.ts.
  const kept = texts.find((text) => foundIn(JSON.parse(text) as Observation, sabotage).includes(sabotage.finding))
  rmSync(folder, { recursive: true })
  if (kept === undefined) return `none of ${texts.length} recordings leads to ${sabotage.finding}`
  mkdirSync(RECORDINGS, { recursive: true })
  writeFileSync(join(RECORDINGS, `${sabotage.id}.json`), shortest(kept))
  return undefined
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packageRoot } from "../../base/settings.ts"
import { diagnose, foreseen } from "../../diagnosis/diagnose.ts"
import type { Observation } from "../../diagnosis/observation.ts"
import type { Sabotage } from "./sabotage.ts"

/** The folder with the observations of broken machines, one file for each sabotage. */
export const RECORDINGS = join(packageRoot, "fixtures", "observations")

/** The folder in which the observations of one sabotage are recorded during its proof. */
export function workFolder(base: string, { id }: Pick<Sabotage, "id">): string {
  return join(base, id)
}

/**
 * The ids of the findings that a diagnosis gives. For the doctor these are all findings. For the lessons these are the
 * first one, and the first one that ends a wait. "none": the lessons get no finding.
 */
export function foundIn(seen: Observation, { fails }: Sabotage): readonly string[] {
  const ids = diagnose(seen).map(({ id }) => id)
  if (fails.length === 0) return ids
  return [
    ids[0] ?? "none",
    ...foreseen(seen)
      .slice(0, 1)
      .map(({ finding }) => finding.id),
  ]
}

/** How many lines of each log a short recording keeps: from the beginning and from the end. */
const LENGTHS = [
  [2, 4],
  [6, 12],
] as const

/** A recording with the shortest logs that give the same findings in the same words. */
export function shortest(text: string): string {
  const seen = parsed(text)
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

/** The file with the recording of a sabotage. */
export function recordingFile({ id }: Pick<Sabotage, "id">): string {
  return join(RECORDINGS, `${id}.json`)
}

/**
 * Stores the first recording of a sabotage that leads to the predicted finding.
 * @param base the folder that contains the recordings of the running proofs
 * @returns what is wrong; undefined if a recording was stored
 */
export function keepRecording(base: string, sabotage: Sabotage): string | undefined {
  const made = madeRecording(base, sabotage)
  if ("mistake" in made) return made.mistake
  mkdirSync(RECORDINGS, { recursive: true })
  writeFileSync(recordingFile(sabotage), shortest(made.text))
  return undefined
}

/**
 * Compares what was observed in a proof with the recording in fixtures/observations: both must lead to the predicted
 * finding in the same words. So a recording cannot become obsolete without notice.
 * @param base the folder that contains the recordings of the running proofs
 * @returns what is wrong; undefined if they agree
 */
export function compareRecording(base: string, sabotage: Sabotage): string | undefined {
  const command = `Run "npm run sabotage -- --record ${sabotage.id}".`
  if (!existsSync(recordingFile(sabotage))) return undefined // lib/curriculum/parity.test.ts demands it.
  const made = madeRecording(base, sabotage)
  if ("mistake" in made) return made.mistake
  const [live, stored] = [made.text, readFileSync(recordingFile(sabotage), "utf8")].map((text) =>
    causeIn(parsed(text), sabotage),
  )
  return live === stored ? undefined : `the recording says "${stored}", but now it is "${live}". ${command}`
}

/** The cause that the predicted finding names, in the words that are the same in each run. */
function causeIn(seen: Observation, { finding }: Sabotage): string | undefined {
  const cause = diagnose(seen).find(({ id }) => id === finding)?.cause
  return cause === undefined ? undefined : lasting(cause)
}

/**
 * What openssl and JavaScript print for a moment, such as "Nov  6 09:00:00 2026 GMT" and "Fri, 06 Nov 2026 09:00:00
 * GMT".
 */
const MOMENT = /(?:[A-Z][a-z]{2}, \d+ )?[A-Z][a-z]{2} +(?:\d+ )?[\d: ]+ GMT/g
/** The id of a member or of a cluster: etcd makes it from addresses and the time. */
const ETCD_ID = /\b[0-9a-f]{12,16}\b/g
/** What Kubernetes adds to the names of objects that it names: letters and digits that form no words. */
const SUFFIX = /-[bcdfghjklmnpqrstvwxz2456789]{5,10}\b/g

/** A cause without what differs from run to run: moments, etcd's ids, generated names, numbers. */
export function lasting(cause: string): string {
  return cause
    .replaceAll(MOMENT, "MOMENT")
    .replaceAll(ETCD_ID, "ID")
    .replaceAll(SUFFIX, "-SUFFIX")
    .replaceAll(/\d+/g, "#")
}

/** The first recording of a proof that leads to the predicted finding. All recordings of the proof are removed. */
function madeRecording(base: string, sabotage: Sabotage): { readonly text: string } | { readonly mistake: string } {
  const folder = workFolder(base, sabotage)
  if (!existsSync(folder)) return { mistake: "no diagnosis recorded its observation" }
  const names = readdirSync(folder).toSorted()
  const texts = names.map((name) => readFileSync(join(folder, name), "utf8"))
  rmSync(folder, { recursive: true })
  const text = texts.find((one) => foundIn(parsed(one), sabotage).includes(sabotage.finding))
  return text === undefined ? { mistake: `none of ${texts.length} recordings leads to ${sabotage.finding}` } : { text }
}

/** A recording, as record.ts writes it. */
function parsed(text: string): Observation {
  return JSON.parse(text) as Observation
}

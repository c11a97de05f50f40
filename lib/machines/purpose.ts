import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"

const FILE = "purpose"

const schema = z.object({ command: z.enum(["grade", "watch"]), subject: z.string().nullable() })

/** Which command has started a machine for lessons, and the learner's folder; null for the project's own cluster. */
export type Purpose = Readonly<z.infer<typeof schema>>

/** Notes in a run's folder what its machine is for, so that other commands can find it by that. */
export async function writePurpose(folder: string, purpose: Purpose): Promise<void> {
  await writeFile(join(folder, FILE), JSON.stringify(purpose), { mode: 0o600 })
}

/** @returns undefined if the folder has no such note: `byhand up` has started its machine */
export async function readPurpose(folder: string): Promise<Purpose | undefined> {
  const text = await readFile(join(folder, FILE), "utf8").catch(() => undefined)
  return text === undefined ? undefined : schema.parse(JSON.parse(text))
}

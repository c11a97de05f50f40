import { readFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"

const schema = z.object({
  host: z.string(),
  port: z.number(),
  key: z.string(),
  /** What the machine lacks to run containers, if anything. */
  lacks: z.string().optional(),
  /** The container's id, and the engine that has it. */
  container: z.string(),
  engine: z.string(),
})

/** The way into a machine that is a container, as its keeper wrote it down. */
export type Door = z.infer<typeof schema>

/** The name of the file, in the run's folder, that tells the way in; it holds the key. */
export const DOOR_FILE = "way-in"

/** The way into the machine of a run's folder; undefined where that is no container. */
export function doorOf(folder: string): Door | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(join(folder, DOOR_FILE), "utf8")))
  } catch {
    return undefined
  }
}

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"

const schema = z.object({
  host: z.string(),
  port: z.number(),
  key: z.string(),
  /** What the machine lacks to run containers. Absent if it lacks nothing. */
  lacks: z.string().optional(),
  /** The container's id, and the address of its engine. */
  container: z.string(),
  engine: z.string(),
})

/** The address at which the engine publishes the port of a machine's container, and the key for it. */
export type PublishedPort = z.infer<typeof schema>

/**
 * The keeper writes the published port to this file in the run's folder. The file contains the key, so only its owner
 * may read it.
 */
export const PUBLISHED_PORT_FILE = "published-port"

/** The published port of the machine in a run's folder. Undefined if that machine is not a container. */
export function publishedPortOf(folder: string): PublishedPort | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(join(folder, PUBLISHED_PORT_FILE), "utf8")))
  } catch {
    return undefined
  }
}

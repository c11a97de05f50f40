import { readFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"

const schema = z.object({
  host: z.string(),
  port: z.number(),
  key: z.string(),
  /** What the machine lacks to run containers. Absent where it lacks nothing. */
  lacks: z.string().optional(),
  /** The container's id, and the address of its engine. */
  container: z.string(),
  engine: z.string(),
})

/** Where the engine publishes the port of a machine's container, and the key that opens it. */
export type PublishedPort = z.infer<typeof schema>

/** The file in the run's folder in which the keeper writes down the published port. It holds the key: only its owner may read it. */
export const PUBLISHED_PORT_FILE = "published-port"

/** The published port of the machine in a run's folder. Undefined where that machine is not a container. */
export function publishedPortOf(folder: string): PublishedPort | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(join(folder, PUBLISHED_PORT_FILE), "utf8")))
  } catch {
    return undefined
  }
}

import { existsSync } from "node:fs"
import { join } from "node:path"
import { messageOf, UsageError } from "../errors.ts"
import { versionOf } from "./inspect.ts"
import type { Binary, Source } from "./source.ts"

/** The folder that the user named. What lies there wins whatever its version, which is told as it is. */
export const namedFolder: Source = {
  async find({ tools, settings: { binDir } }) {
    if (binDir === undefined) return { found: [], misses: [] }
    const source = `BYHAND_BIN_DIR=${binDir}`
    const there = tools.filter((tool) => existsSync(join(binDir, tool)))
    const found = await Promise.all(there.map(async (name): Promise<Binary> => {
      const path = join(binDir, name)
      return { name, path, version: await versionOf(name, path).catch((error: unknown) => { throw unusable(path, error) }), source }
    }))
    const missing = tools.filter((tool) => !there.includes(tool))
    return { found, misses: missing.length === 0 ? [] : [{ source, why: `has no ${missing.join(", ")}` }] }
  },
}

function unusable(path: string, error: unknown): UsageError {
  return new UsageError(`${path}, in the folder that BYHAND_BIN_DIR names, ${messageOf(error)}.`, "Replace or remove it, or unset BYHAND_BIN_DIR.")
}

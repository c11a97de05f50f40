import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { messageOf, UsageError } from "../base/errors.ts"
import type { Settings } from "../base/settings.ts"
import { whyNotRunnable } from "./executable.ts"
import { versionOf } from "./inspect.ts"
import type { Binary, Source } from "./source.ts"
import { allTools, type ToolName } from "./versions.ts"

/** The folder in BYHAND_BIN_DIR. Its programs are used before all others, with any version. */
export const namedFolder: Source = {
  async find({ tools, settings: { binDir } }) {
    if (binDir === undefined) return { found: [], misses: [] }
    const found = await programsIn(binDir, tools)
    const missing = tools.filter((tool) => !found.some(({ name }) => name === tool))
    return {
      found,
      misses: missing.length === 0 ? [] : [{ source: sourceOf(binDir), why: `has no ${missing.join(", ")}` }],
    }
  },
}

/** @throws UsageError if BYHAND_BIN_DIR contains no program that a run can need, or a program that cannot be run */
export async function checkNamedFolder({ binDir }: Settings): Promise<void> {
  if (binDir === undefined || (await programsIn(binDir, allTools)).length > 0) return
  throw new UsageError(
    `${sourceOf(binDir)} has none of the programs that a run may need.`,
    `Put some of these programs there, or unset it: ${allTools.join(", ")}.`,
  )
}

async function programsIn(binDir: string, tools: readonly ToolName[]): Promise<Binary[]> {
  const entries = await readdir(binDir) // This lists broken links too.
  const there = tools.filter((tool) => entries.includes(tool))
  return Promise.all(
    there.map(async (name) => {
      const path = join(binDir, name)
      const version = await versionOf(name, path).catch(async (error: unknown) => {
        const why = (await whyNotRunnable(path)) ?? messageOf(error)
        throw new UsageError(
          `${path}, in the folder that BYHAND_BIN_DIR names, ${why}.`,
          "Replace or remove it, or unset BYHAND_BIN_DIR.",
        )
      })
      return { name, path, version, source: sourceOf(binDir) }
    }),
  )
}

function sourceOf(binDir: string): string {
  return `BYHAND_BIN_DIR=${binDir}`
}

import { UsageError } from "../base/errors.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import { inventory, prune } from "../binaries/inventory.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { table } from "../base/table.ts"

/**
 * Shows the sizes of the cache by kind, or prunes the cache.
 * @param action prune, or undefined to show only
 * @throws UsageError for any other action
 */
export async function cache(
  action: string | undefined,
  options: CommonOptions & { readonly all?: boolean },
): Promise<Outcome> {
  const settings = settingsOf(options)
  if (action !== undefined && action !== "prune")
    throw new UsageError(`byhand cache has no action ${action}.`, "Write: npx byhand cache, or: npx byhand cache prune")
  if (action === undefined && options.all === true)
    throw new UsageError("--all needs the action prune.", "Write: npx byhand cache prune --all")
  const { cacheDir } = settings
  const pruned = action === undefined ? undefined : await prune(settings, options.all === true, terminalProgress())
  const parts = await inventory(settings)
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  const lines = [
    ...(pruned === undefined ? [] : [`Pruned ${megabytes(pruned.before - pruned.after)} from ${cacheDir}.\n`]),
    ...(pruned?.inUse ?? []).map((path) => `Kept, because a process uses it: ${path}\n`),
    table(
      [...parts, { kind: `all of ${cacheDir}`, bytes }].map((part) => [megabytes(part.bytes).padStart(9), part.kind]),
    ),
  ]
  return { text: lines.join(""), data: { folder: cacheDir, bytes, parts, ...(pruned === undefined ? {} : { pruned }) } }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

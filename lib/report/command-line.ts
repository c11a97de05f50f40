import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, join, resolve } from "node:path"
import { parseCLI, ReportersMap } from "vitest/node"
import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { packageRoot } from "../base/settings.ts"

/**
 * The command line of vitest: the words that select files, and the flags. Empty if another program has started vitest.
 */
export function commandLine(argv: readonly string[] = process.argv): {
  readonly files: readonly string[]
  readonly flags: Readonly<Record<string, unknown>>
} {
  const [, program = "", ...words] = argv
  if (!/^vitest(\.mjs)?$/.test(basename(program))) return { files: [], flags: {} }
  const { filter, options } = parseCLI(["vitest", ...words])
  return { files: filter, flags: { ...options } }
}

/**
 * Refuses values of flags that vitest itself answers with a stack trace, or ignores.
 * @param ours the names of our own reporters
 * @throws UsageError
 */
export function admitFlags(flags: Readonly<Record<string, unknown>>, ours: readonly string[]): void {
  for (const name of ["bail", "retry"]) {
    const value = flags[name]
    if (value === undefined || typeof value === "object") continue // --retry.count=2
    if (!(typeof value === "number" && Number.isInteger(value) && value >= 0))
      throw new UsageError(
        `--${name}=${JSON.stringify(value).replaceAll('"', "")} is not a whole number.`,
        `Write, for example: --${name}=1`,
      )
  }
  const shard = flags["shard"] === undefined ? undefined : JSON.stringify(flags["shard"]).replaceAll('"', "")
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(shard ?? "") ?? []
  if (shard !== undefined && !(Number(index) >= 1 && Number(index) <= Number(count)))
    throw new UsageError(`--shard=${shard} names no part of the lessons.`, "Write, for example: --shard=1/3")
  const names = [...ours, ...Object.keys(ReportersMap)]
  const unknown = [flags["reporter"] ?? []]
    .flat()
    .map(String)
    .find((name) => !names.includes(name) && !isModule(name))
  if (unknown !== undefined)
    throw new UsageError(
      `There is no reporter ${unknown}.`,
      `${didYouMean(unknown, names)}There are ${names.join(", ")}.`,
    )
}

/** Whether a reporter's name is a file or a package, as vitest finds it. */
function isModule(name: string): boolean {
  if (existsSync(resolve(name))) return true
  try {
    createRequire(join(packageRoot, "package.json")).resolve(name)
    return true
  } catch {
    return false
  }
}

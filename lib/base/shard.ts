import { UsageError } from "./errors.ts"

/** A part of a list: number `at`, from 1, of `of` parts. */
export type Shard = readonly [at: number, of: number]

/** Parses the value of --shard, such as 2/6. @throws UsageError */
export function shard(given: string): Shard {
  const [, at = 0, of = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(given) ?? []).map(Number)
  if (at < 1 || at > of) throw new UsageError(`--shard ${given} is not a part such as 2/6.`, "Correct it.")
  return [at, of]
}

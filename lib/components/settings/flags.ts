/** How a process was started, as far as its settings depend on it. */
export interface Started {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where relative paths begin. */
  readonly cwd?: string
}

/**
 * What a flag is set to: --flag=value or --flag value, with one dash or two. The last one counts, as for the components themselves.
 * @returns undefined where it is not set, "" where it has no value
 */
export function flagOf({ argv }: Pick<Started, "argv">, flag: string): string | undefined {
  const isFlag = (word: string) =>
    word.startsWith("-") && word.replace(/^--?/, "--").replace(/=.*/s, "").replaceAll("_", "-") === flag
  const at = argv.findLastIndex((word, index) => index > 0 && isFlag(word))
  const word = argv[at]
  if (at < 0 || word === undefined) return undefined
  if (word.includes("=")) return word.slice(word.indexOf("=") + 1)
  const next = argv[at + 1]
  return next === undefined || next.startsWith("--") ? "" : next
}

/** A path as the process sees it: relative ones begin in its working directory. */
export function absolute({ cwd }: Pick<Started, "cwd">, path: string): string
export function absolute({ cwd }: Pick<Started, "cwd">, path: string | undefined): string | undefined
export function absolute({ cwd = "/" }: Pick<Started, "cwd">, path: string | undefined): string | undefined {
  if (path === undefined || path === "") return undefined
  return path.startsWith("/") ? path : `${cwd.replace(/\/$/, "")}/${path.replace(/^(?:\.\/)+/, "")}`
}

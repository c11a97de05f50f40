/** How a process was started: the facts on which its settings depend. */
export interface Started {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The working directory; relative paths start there. */
  readonly cwd?: string
  /** The root folder of its process, which a container has of its own; undefined if it is not known. */
  readonly root?: string
}

/**
 * The value of a flag, written as --flag=value or --flag value, with one dash or two. If the flag occurs several times,
 * the last value counts, as in the components.
 * @returns undefined if the flag is not set, "" if it has no value
 */
export function flagOf({ argv }: Pick<Started, "argv">, flag: string): string | undefined {
  const at = argv.findLastIndex((word, index) => index > 0 && word.startsWith("-") && flagNameIn(word) === flag)
  const word = argv[at]
  if (at < 0 || word === undefined) return undefined
  if (word.includes("=")) return word.slice(word.indexOf("=") + 1)
  const next = argv[at + 1]
  return next === undefined || next.startsWith("--") ? "" : next
}

/**
 * The absolute path of a file. A relative path starts in the working directory of the process. An empty path names no
 * file, as in the components: undefined.
 */
export function absolute({ cwd = "/" }: Pick<Started, "cwd">, path: string | undefined): string | undefined {
  if (path === undefined || path === "") return undefined
  return path.startsWith("/") ? path : `${cwd.replace(/\/$/, "")}/${path.replace(/^(?:\.\/)+/, "")}`
}

/** The name of a flag in the word that sets it: --data-dir for --data-dir=/x, -data-dir and --data_dir. */
export function flagNameIn(word: string): string {
  return word.replace(/^--?/, "--").replace(/=.*/s, "").replaceAll("_", "-")
}

/** The names of the flags of a command line, such as --data-dir, each once, in order. */
export function flagsIn({ argv }: Pick<Started, "argv">): string[] {
  const names = argv
    .slice(1)
    .filter((word) => /^--?[a-z]/i.test(word))
    .map(flagNameIn)
  return [...new Set(names)]
}

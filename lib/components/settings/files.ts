import type { Machine } from "../../machines/machine.ts"

/** Configuration files, for code that reads settings from them. */
export interface Files {
  /** The text of a file; undefined if the file does not exist or cannot be read. */
  text(path: string): string | undefined
  /**
   * The paths that match a pattern, sorted. In a pattern, * matches any characters except a slash, and ** matches any
   * characters.
   */
  matching(pattern: string): readonly string[]
}

/** Files whose texts are given, by path. */
export function knownFiles(texts: Readonly<Record<string, string>>): Files {
  return {
    text: (path) => texts[path],
    matching: (pattern) =>
      Object.keys(texts)
        .filter((path) => regexOf(pattern).test(path))
        .toSorted(),
  }
}

/**
 * The same files as a process sees them: a container has some under paths that lead elsewhere, or nowhere, outside of
 * it.
 * @param root the root folder of the process; undefined if it is that of the machine
 */
export function seenBy(files: Files, root: string | undefined): Files {
  return root === undefined ? files : { ...files, text: (path) => files.text(path) ?? files.text(`${root}${path}`) }
}

/** No files: settings then come from the command line and the environment only. */
export const noFiles: Files = knownFiles({})

/** The timeout of each command on the machine (milliseconds). */
const LOOK_WITHIN = 30_000

/**
 * Calls a function that reads settings, with the files of a machine. The function is called again as long as it
 * requests files that were not read yet. So one file can contain the name of another.
 */
export async function withFilesOf<T>(machine: Machine, read: (files: Files) => T): Promise<T> {
  const texts = new Map<string, string | undefined>()
  const listings = new Map<string, readonly string[]>()
  for (;;) {
    const wanted = { texts: new Set<string>(), listings: new Set<string>() }
    const result = read({
      text: (path) => {
        if (!texts.has(path)) wanted.texts.add(path)
        return texts.get(path)
      },
      matching: (pattern) => {
        if (!listings.has(pattern)) wanted.listings.add(pattern)
        return listings.get(pattern) ?? []
      },
    })
    if (wanted.texts.size + wanted.listings.size === 0) return result
    await Promise.all([
      ...[...wanted.texts].map(async (path) => texts.set(path, await textOf(machine, path))),
      ...[...wanted.listings].map(async (pattern) => listings.set(pattern, await list(machine, pattern))),
    ])
  }
}

function textOf(machine: Machine, path: string): Promise<string | undefined> {
  return machine.read(path).then(
    (text) => text.toString(),
    () => undefined,
  )
}

async function list(machine: Machine, pattern: string): Promise<readonly string[]> {
  const folder = pattern.slice(0, pattern.indexOf("*")).replace(/[^/]*$/, "")
  const { stdout } = await machine.run(["find", "-L", folder, "-type", "f"], { timeout: LOOK_WITHIN })
  return stdout
    .split("\n")
    .map((path) => path.replaceAll(/\/+/g, "/"))
    .filter((path) => regexOf(pattern).test(path))
    .toSorted()
}

function regexOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("**", "\0")
    .replaceAll("*", "[^/]*")
    .replaceAll("\0", ".*")
  return new RegExp(`^${source}$`)
}

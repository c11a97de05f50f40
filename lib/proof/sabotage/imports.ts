import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"

/** Matches the imports that a file makes at run time. `import type` leaves no import in the compiled program. */
const IMPORT = /^(?:import|export)\b(?! type\b)[^"']*?from "(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm

/** The files of the project that a file imports. Paths are relative to the project's folder, with forward slashes. */
export type ImportsOf = (file: string) => readonly string[]

/** Reads the imports of the source files below a folder. Each file is read once. */
export function importsIn(root: string): ImportsOf {
  const known = new Map<string, readonly string[]>()
  return (file) => {
    const before = known.get(file)
    if (before !== undefined) return before
    const path = join(root, file)
    const text = /\.m?ts$/.test(file) && existsSync(path) ? readFileSync(path, "utf8") : ""
    const found = importsOfText(text).map((given) => normalize(join(dirname(file), given)))
    known.set(file, found)
    return found
  }
}

/** The relative paths that a source text imports, as the text writes them. */
export function importsOfText(text: string): string[] {
  return [...text.matchAll(IMPORT)].map(([, given, dynamic]) => given ?? dynamic ?? "")
}

/**
 * The number of imports between some files and each file that they import directly or indirectly.
 * @returns 0 for the files themselves, 1 for their imports, and so on
 */
export function distancesFrom(files: Iterable<string>, importsOf: ImportsOf): Map<string, number> {
  const distances = new Map<string, number>()
  let front = [...files]
  for (let distance = 0; front.length > 0; distance++) {
    const reached = front.filter((file) => !distances.has(file))
    for (const file of reached) distances.set(file, distance)
    front = reached.flatMap(importsOf)
  }
  return distances
}

/** The source files in a folder of the project, without tests. */
export function sourcesIn(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => `${folder}/${file}`)
}

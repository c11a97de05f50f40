import { chmod, cp, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join, relative, resolve } from "node:path"
import { messageOf, UsageError } from "../../base/errors.ts"
import { packageRoot } from "../../base/settings.ts"

const TEMPLATES = join(packageRoot, "fixtures", "scaffold")
/** What GitHub takes for a repository's name. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/

/** A learner's folder that was laid out. */
export interface Scaffold {
  readonly folder: string
  /** Paths of its files in it, sorted. */
  readonly files: readonly string[]
  /** How its package.json names this suite. */
  readonly suite: string
}

/**
 * Lays out a learner's folder: start scripts that say what is to be done, the files beside them, a README and a workflow.
 * @param given the folder's path; it must not be there yet, or be empty
 * @param suite what its package.json names as this suite: a version, or whatever else npm can install
 * @throws UsageError before anything is written, where the folder cannot be made or holds something
 */
export async function layOut(given: string, suite?: string): Promise<Scaffold> {
  const folder = resolve(given)
  if (given === "" || !NAME.test(basename(folder))) {
    throw new UsageError(
      `${given === "" ? "An empty word" : given} cannot name a folder.`,
      "Use up to 100 letters, digits, dots, hyphens and underscores, as in: npx byhand new my-cluster",
    )
  }
  await admit(folder, given)
  try {
    await mkdir(folder, { recursive: true })
    await cp(TEMPLATES, folder, { recursive: true })
  } catch (error) {
    throw new UsageError(`${given} cannot be written: ${messageOf(error)}.`, "Choose another folder.", { cause: error })
  }
  await rename(join(folder, "gitignore"), join(folder, ".gitignore")) // npm packs no file of that name.
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted()
  for (const file of files) await chmod(join(folder, file), file.endsWith(".sh") ? 0o755 : 0o644) // Whatever they are where the suite is installed.
  const named = suite ?? (await ownName(folder))
  const manifest = join(folder, "package.json")
  await writeFile(
    manifest,
    (await readFile(manifest, "utf8")).replace(`"byhand": "*"`, () => `"byhand": ${JSON.stringify(named)}`),
  )
  return { folder, files, suite: named }
}

/** @throws UsageError where there is something already, or nowhere to put it */
async function admit(folder: string, given: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found === undefined) {
    if ((await stat(dirname(folder)).catch(() => undefined))?.isDirectory() === true) return
    throw new UsageError(
      `${dirname(folder)} is no folder that ${basename(folder)} could be laid out in.`,
      "Make it first, or choose another.",
    )
  }
  if (!found.isDirectory()) throw new UsageError(`${given} is a file.`, "Choose another name.")
  const present = await readdir(folder).catch((error: unknown) => {
    throw new UsageError(`${given} cannot be read: ${messageOf(error)}.`, "Choose another folder.")
  })
  if (present.length > 0)
    throw new UsageError(
      `${given} is not empty: it holds ${present[0] ?? ""}.`,
      "Choose another name, or an empty folder.",
    )
}

/** This suite as npm would install it into a folder: by its version where npm has installed it, by its path where it is a checkout. */
async function ownName(folder: string): Promise<string> {
  if (basename(dirname(packageRoot)) !== "node_modules") return `file:${relative(folder, packageRoot)}`
  const { version } = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8")) as { version: string } // npm refuses one without.
  return version
}

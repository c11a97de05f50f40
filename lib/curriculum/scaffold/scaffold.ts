import { chmod, cp, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises"
import { basename, dirname, join, relative, resolve } from "node:path"
import { messageOf, UsageError } from "../../base/errors.ts"
import { packageRoot } from "../../base/settings.ts"
import { DNS_ADDRESS } from "../../components/coredns.ts"
import { PACKAGE } from "../../subjects/folder.ts"
import { dnsAddressOf, ownValues } from "../../subjects/own-values.ts"
import { completed } from "./readme.ts"

const TEMPLATES = join(packageRoot, "fixtures", "scaffold")
/** A name that GitHub accepts for a repository. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/

/** A learner's folder that was created. */
export interface Scaffold {
  readonly folder: string
  /** Paths of its files in it, sorted. */
  readonly files: readonly string[]
  /** How its package.json names this suite. */
  readonly suite: string
}

/**
 * Creates a learner's folder: start scripts that state their goal, configuration files, a README and a workflow.
 * @param given the folder's path. The folder must not exist, or must be empty.
 * @param suite what its package.json names as this suite: a version, or anything else that npm can install
 * @param student whose cluster must have values of its own; undefined if the learner may choose all of them
 * @throws UsageError before anything is written, if the folder cannot be created or is not empty
 */
export async function layOut(given: string, suite?: string, student?: string): Promise<Scaffold> {
  const folder = resolve(given)
  if (given === "" || !NAME.test(basename(folder))) {
    throw new UsageError(
      `${given === "" ? "An empty name" : given} cannot name a folder.`,
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
  await rename(join(folder, "gitignore"), join(folder, ".gitignore")) // npm does not pack files of that name.
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted()
  // Installed packages can have other modes.
  for (const file of files) await chmod(join(folder, file), file.endsWith(".sh") ? 0o755 : 0o644)
  const named = suite ?? (await ownName(folder))
  await edit(join(folder, PACKAGE), (text) =>
    text
      .replace(`"byhand": "*"`, () => `"byhand": ${JSON.stringify(named)}`)
      .replace(/\n}\n$/, (end) =>
        student === undefined ? end : `,\n  "byhand": ${JSON.stringify({ for: student })}${end}`,
      ),
  )
  const own = student === undefined ? undefined : ownValues(student)
  await edit(join(folder, "README.md"), (text) => completed(text, own))
  if (own !== undefined)
    for (const file of files.filter((name) => /\.(?:sh|yaml)$/.test(name)))
      await edit(join(folder, file), (text) => text.replaceAll(DNS_ADDRESS, dnsAddressOf(own)))
  return { folder, files, suite: named }
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, "utf8")))
}

/** @throws UsageError if the folder is not empty, or its parent does not exist */
async function admit(folder: string, given: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found === undefined) {
    if ((await stat(dirname(folder)).catch(() => undefined))?.isDirectory() === true) return
    throw new UsageError(
      `${dirname(folder)} is not a folder, so ${basename(folder)} cannot be created in it.`,
      "Create that folder first, or choose another.",
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

/**
 * This suite as npm would install it into a folder: its version if npm has installed it, its path if it is a
 * checkout.
 */
async function ownName(folder: string): Promise<string> {
  if (basename(dirname(packageRoot)) !== "node_modules") return `file:${relative(folder, packageRoot)}`
  const { version } = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8")) as { version: string } // npm installs no package without a version.
  return version
}

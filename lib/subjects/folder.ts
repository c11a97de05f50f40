import { createHash } from "node:crypto"
import { readFileSync, type Stats } from "node:fs"
import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { UsageError } from "../base/errors.ts"
import type { Machine } from "../machines/machine.ts"

/** Where a learner's folder lies on the machine. */
export const HOME = "/root/cluster"

/** Bytes: a folder of start scripts and configuration is small. */
const LARGEST = 16 * 2 ** 20

/** A start script that a learner has written. */
export interface Script {
  readonly name: string
  /** The number that its name begins with. */
  readonly number: number
  /** SHA-256 of the script and of the files beside it that it names: changes when the script must run again. */
  readonly fingerprint: string
}

/** What a learner has written. */
export interface Folder {
  readonly path: string
  /** In the order in which they are run. */
  readonly scripts: readonly Script[]
  readonly files: readonly { readonly name: string; readonly mode: number }[]
}

/** @throws UsageError where it is no folder with start scripts */
export async function readFolder(path: string): Promise<Folder> {
  const about = await stat(path).catch(() => undefined) // It is not there, or not to be seen.
  if (about === undefined) throw new UsageError(`${path} is not there.`, "Lay one out with: npx byhand new FOLDER")
  if (!about.isDirectory())
    throw new UsageError(`${path} is not a folder.`, "Name the folder that holds the start scripts.")
  const files = await filesIn(path, "")
  const size = files.reduce((sum, file) => sum + file.size, 0)
  if (size > LARGEST)
    throw new UsageError(
      `${path} holds ${Math.round(size / 2 ** 20)} MiB, more than ${LARGEST / 2 ** 20}.`,
      "Keep start scripts and configuration in it, and nothing else.",
    )
  const scripts = files.flatMap(({ name }) => {
    const [, number] = /^(\d\d)-[^/]*\.sh$/.exec(name) ?? []
    return number === undefined
      ? []
      : [
          {
            name,
            number: Number(number),
            fingerprint: fingerprintOf(
              name,
              path,
              files.map((file) => file.name),
            ),
          },
        ]
  })
  if (scripts.length === 0)
    throw new UsageError(
      `${path} holds no start script, such as 01-etcd.sh.`,
      "Lay one out with: npx byhand new FOLDER",
    )
  return { path, files, scripts: scripts.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }
}

/** A file counts where the script names it, or the folder that it is in. */
function fingerprintOf(script: string, root: string, files: readonly string[]): string {
  const text = readFileSync(join(root, script))
  const isNamed = (file: string): boolean => file !== "." && (text.includes(file) || isNamed(dirname(file)))
  const hash = createHash("sha256").update(text)
  for (const file of files.filter((name) => !name.endsWith(".sh") && isNamed(name)).toSorted())
    hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest("hex")
}

async function filesIn(root: string, folder: string): Promise<{ name: string; mode: number; size: number }[]> {
  const found = await Promise.all(
    (await readdir(join(root, folder)))
      .filter((entry) => entry !== ".git" && entry !== "node_modules")
      .map(async (entry) => {
        const name = join(folder, entry)
        const link = await lstat(join(root, name))
        if (link.isDirectory()) return filesIn(root, name)
        const about = link.isSymbolicLink() ? await throughLink(root, name) : link
        return about?.isFile() === true ? [{ name, mode: about.mode & 0o777, size: about.size }] : []
      }),
  )
  return found.flat()
}

/** What a link leads to, within the folder: elsewhere it could lead anywhere on the host. undefined where it leads nowhere, as those of editors do. */
async function throughLink(root: string, name: string): Promise<Stats | undefined> {
  const target = await realpath(join(root, name)).catch(() => undefined)
  if (target === undefined) return undefined
  const about = await stat(target)
  if (about.isFile() && target.startsWith(`${await realpath(root)}/`)) return about
  throw new UsageError(
    `${join(root, name)} is a link to ${about.isFile() ? "a file outside of the folder" : "something that is no file"}.`,
    "Put what it leads to in its place.",
  )
}

/** Copies the folder to the machine. */
export async function layOut(machine: Machine, { path, files }: Folder): Promise<void> {
  for (const { name, mode } of files) await machine.write(join(HOME, name), await readFile(join(path, name)), mode)
}

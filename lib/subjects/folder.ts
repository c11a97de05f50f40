import { createHash } from "node:crypto"
import { readFileSync, type Stats } from "node:fs"
import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Document } from "../base/document.ts"
import { UsageError } from "../base/errors.ts"
import { literal } from "../base/literal.ts"
import type { Machine } from "../machines/machine.ts"
import { isMachineName, MACHINES, type MachineName } from "../machines/network.ts"

/** The path of the learner's folder on the machine. */
export const HOME = "/root/cluster"

/** The file of a folder that names this suite, and the student whose values its cluster must have. */
export const PACKAGE = "package.json"

/** The largest size of a learner's folder (bytes). A folder of start scripts and configuration is small. */
const LARGEST = 16 * 2 ** 20

/** A start script of a learner. */
export interface Script {
  readonly name: string
  /** The number at the beginning of its name. */
  readonly number: number
  /** What is between the number and the machine in its name, such as kubelet. It names what the script starts. */
  readonly title: string
  /** The further machine on which it runs, from a name such as 10-kubelet@node-2.sh; undefined for the first machine. */
  readonly machine: MachineName | undefined
  /** SHA-256 of the script and of the files in the folder that it names. If it changes, the script must run again. */
  readonly fingerprint: string
}

/** The folder of a learner. */
export interface Folder {
  readonly path: string
  /** The start scripts, in the order in which they run. */
  readonly scripts: readonly Script[]
  readonly files: readonly { readonly name: string; readonly mode: number }[]
  /** The student whose values the cluster must have, from its package.json; undefined if all may be chosen. */
  readonly student: string | undefined
}

/** The number of the lesson to which a file of the folder belongs: 12 for 12-kubeadm.md. undefined for other files. */
export function lessonNumberOf(file: string): number | undefined {
  const [, number] = /^(\d\d)-[^/]*$/.exec(file) ?? []
  return number === undefined ? undefined : Number(number)
}

/** Reads a learner's folder. @throws UsageError if the path is not a folder with start scripts */
export async function readFolder(path: string): Promise<Folder> {
  const about = await stat(path).catch(() => undefined) // The path does not exist, or this user must not read it.
  if (about === undefined)
    throw new UsageError(`${path} does not exist.`, "Create a folder with: npx byhand new FOLDER")
  if (!about.isDirectory())
    throw new UsageError(`${path} is not a folder.`, "Name the folder that contains the start scripts.")
  const files = await filesIn(path, "")
  const size = files.reduce((sum, file) => sum + file.size, 0)
  if (size > LARGEST)
    throw new UsageError(
      `${path} contains ${Math.round(size / 2 ** 20)} MiB, more than ${LARGEST / 2 ** 20}.`,
      "Keep only start scripts and configuration in the folder.",
    )
  const scripts = files.flatMap(({ name }) => {
    const [, number, title = "", machine] = /^(\d\d)-([^/@]*)(?:@([^/]*))?\.sh$/.exec(name) ?? []
    return number === undefined
      ? []
      : [
          {
            name,
            number: Number(number),
            title,
            machine: machineOf(name, machine),
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
      `${path} contains no start script, such as 01-etcd.sh.`,
      "Create a folder with: npx byhand new FOLDER",
    )
  return {
    path,
    files,
    student: await studentIn(path),
    scripts: scripts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

/** What `byhand new --for` has written into the folder's package.json. A file that cannot be read says nothing. */
async function studentIn(path: string): Promise<string | undefined> {
  const text = await readFile(join(path, PACKAGE), "utf8").catch(() => "")
  return Document.yaml(text).text("byhand", "for")
}

/** @throws UsageError if there is no machine of that name */
function machineOf(script: string, name: string | undefined): MachineName | undefined {
  if (name === undefined) return undefined
  if (isMachineName(name)) return name
  throw new UsageError(
    `${script} names the machine ${name}, which no lesson has.`,
    `Name one of ${Object.keys(MACHINES).join(", ")}, or none: without @ a script runs on the first machine.`,
  )
}

/** The fingerprint of a script. A file is included if the script names the file or a folder that contains it. */
function fingerprintOf(script: string, root: string, files: readonly string[]): string {
  const text = readFileSync(join(root, script), "utf8")
  const isNamed = (file: string): boolean => file !== "." && (names(text, file) || isNamed(dirname(file)))
  const hash = createHash("sha256").update(text)
  for (const file of files.filter((name) => !name.endsWith(".sh") && isNamed(name)).toSorted())
    hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest("hex")
}

/**
 * Whether a script contains the path of a file of the folder as a whole. Not counted are a part of a longer name, such as
 * etc in etcd, and a path of the machine that begins alike, such as /etc.
 */
function names(text: string, path: string): boolean {
  return new RegExp(String.raw`(?<![\w.-])(?<!(?:^|[\s=:,;<>(&|])["']?/)${literal(path)}(?![\w.-])`, "m").test(text)
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

/**
 * The target of a symbolic link. The target must be in the folder, because a link must not give access to other files
 * of the host. undefined if the target does not exist: editors create such links as lock files.
 */
async function throughLink(root: string, name: string): Promise<Stats | undefined> {
  const target = await realpath(join(root, name)).catch(() => undefined)
  if (target === undefined) return undefined
  const about = await stat(target)
  if (about.isFile() && target.startsWith(`${await realpath(root)}/`)) return about
  throw new UsageError(
    `${join(root, name)} is a symbolic link to ${about.isFile() ? "a file outside the folder" : "something that is not a file"}.`,
    "Replace the link with a copy of its target.",
  )
}

/** Copies the folder to the machine. */
export async function layOut(machine: Machine, { path, files }: Folder): Promise<void> {
  for (const { name, mode } of files) await machine.write(join(HOME, name), await readFile(join(path, name)), mode)
}

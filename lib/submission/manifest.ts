import { createHash } from "node:crypto"
import { lstat, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"

/** The name of the file that lists all others. The signature is a signature of this file. */
export const MANIFEST = "manifest.json"
/** The file with the signature. */
export const SIGNATURE = `${MANIFEST}.sig`

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const verdicts = z.record(z.string(), z.string()).describe("the verdict of each outcome, by its id")

/** The schema of manifest.json. */
export const manifestSchema = z.strictObject({
  schema: z.literal("byhand/submission/v1"),
  student: z.string(),
  created: z.iso.datetime().describe("when the run ended, by the clock of the student's host"),
  suite: z.string().describe("the version of byhand"),
  kubernetes: z.string(),
  host: z.string().describe("the kernel and its architecture"),
  programs: z
    .record(z.string(), z.strictObject({ version: z.string(), sha256: sha256.nullable() }))
    .describe("the programs on the machine"),
  points: z.strictObject({ reached: z.int().min(0), most: z.int().min(0) }),
  verdicts,
  files: z.record(z.string(), z.strictObject({ sha256, bytes: z.int().min(0), mode: z.string().regex(/^[0-7]{3}$/) })),
})

/** What a submission contains, and how it was made. */
export type Manifest = z.infer<typeof manifestSchema>

/** A file of a submission. */
export interface Content {
  readonly bytes: Buffer
  /** Such as 0o644. */
  readonly mode: number
}

/** The entry of a file in the manifest. */
export function entryOf({ bytes, mode }: Content): Manifest["files"][string] {
  return {
    sha256: createHash("sha256").update(bytes).digest("hex"),
    bytes: bytes.length,
    // git and archives keep only whether a file is executable.
    mode: (mode & 0o100) === 0 ? "644" : "755",
  }
}

/** Something that is in a folder besides files and folders, such as a link, has no content. */
export async function filesOf(root: string, below = ""): Promise<Map<string, Content | undefined>> {
  const found = new Map<string, Content | undefined>()
  for (const name of (await readdir(join(root, below))).toSorted()) {
    const path = join(below, name)
    const about = await lstat(join(root, path))
    if (about.isDirectory()) for (const [inner, content] of await filesOf(root, path)) found.set(inner, content)
    else found.set(path, about.isFile() ? { bytes: await readFile(join(root, path)), mode: about.mode } : undefined)
  }
  return found
}

/** What differs between a folder and its manifest: a line for each file. Empty if nothing was edited. */
export function differences(files: ReadonlyMap<string, Content | undefined>, manifest: Manifest): string[] {
  const own = [MANIFEST, SIGNATURE]
  const listed = Object.entries(manifest.files).flatMap(([path, entry]) => {
    if (!files.has(path)) return [`${path} is missing`]
    const content = files.get(path)
    if (content === undefined) return [`${path} is not an ordinary file`]
    const now = entryOf(content)
    if (now.sha256 !== entry.sha256) return [`${path} was edited`]
    return now.mode === entry.mode ? [] : [`${path} has another mode: ${now.mode} instead of ${entry.mode}`]
  })
  const added = [...files.keys()].filter((path) => !own.includes(path) && manifest.files[path] === undefined)
  return [...listed, ...added.map((path) => `${path} was added`)]
}

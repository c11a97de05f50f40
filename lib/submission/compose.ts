import { createGzip } from "node:zlib"
import { createWriteStream } from "node:fs"
import { mkdir, rename, rm, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { pack } from "tar-stream"
import { pointsOfRun } from "../report/points.ts"
import type { RunEvent } from "../report/events.ts"
import type { RunResult } from "../report/result.ts"
import { terminal } from "../report/terminal.ts"
import { leaksIn, redacted, type Leak, type Secret } from "./leaks.ts"
import { entryOf, MANIFEST, type Content, type Manifest } from "./manifest.ts"
import { noteOf, type Stamped } from "./note.ts"
import type { Views } from "./views.ts"

/** The folder of a submission that contains the learner's folder. */
export const SCRIPTS = "scripts"
/** The file in a learner's folder with the learner's own words for the note. */
const WORDS = "words.md"
/** The columns of the transcript. */
const WIDTH = 100

/** What a submission is made of. */
export interface Ingredients {
  readonly student: string
  /** The files of the learner's folder, by their paths in it. */
  readonly scripts: ReadonlyMap<string, Content>
  readonly events: readonly Stamped[]
  readonly result: RunResult
  readonly views: Views
  readonly about: Pick<Manifest, "suite" | "programs" | "host">
  /** Everything that must not be in the submission. */
  readonly secrets: readonly Secret[]
}

/**
 * The files of a submission. Secrets are taken out of the texts that byhand writes. Scripts are copied as they are, so
 * they can contain secrets: see leaksOf.
 */
export function composed({
  student,
  scripts,
  events,
  result: run,
  views,
  about,
  secrets,
}: Ingredients): Map<string, Content> {
  // The path on the student's host says nothing to others.
  const result: RunResult = { ...run, subject: SCRIPTS }
  const own = (text: string): Content => ({ bytes: Buffer.from(redacted(text, secrets)), mode: 0o644 })
  const files = new Map<string, Content>([
    ...[...scripts].map(([path, content]): [string, Content] => [join(SCRIPTS, path), content]),
    ["kubectl.txt", own(views.kubectl)],
    ["etcd-pod.txt", own(views.etcd)],
    ["note.md", own(noteOf(events, result, scripts.get(WORDS)?.bytes.toString().trimEnd()))],
    ["result.json", own(`${JSON.stringify(result, undefined, 2)}\n`)],
    ["transcript.txt", own(transcriptOf(events.map(({ event }) => event)))],
  ])
  const manifest: Manifest = {
    schema: "byhand/submission/v1",
    student,
    created: new Date(events.at(-1)?.at ?? 0).toISOString(),
    kubernetes: result.kubernetes,
    ...about,
    points: pointsOfRun(result),
    verdicts: verdictsOf(result),
    files: Object.fromEntries(byPath(files).map(([path, content]) => [path, entryOf(content)])),
  }
  return files.set(MANIFEST, own(`${JSON.stringify(manifest, undefined, 2)}\n`))
}

function byPath(files: ReadonlyMap<string, Content>): [string, Content][] {
  return [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** The verdict of each outcome, by its id. */
export function verdictsOf({ lessons }: RunResult): Record<string, string> {
  return Object.fromEntries(lessons.flatMap(({ tests }) => tests.map(({ id, verdict }) => [id, verdict])))
}

/** Where files contain secrets. A submission with one must not be written. */
export function leaksOf(files: ReadonlyMap<string, Content>, secrets: readonly Secret[]): Leak[] {
  // The manifest has digests only; a digest is no text in base64.
  return [...files].flatMap(([path, { bytes }]) => [
    ...leaksIn(path, path, secrets),
    ...(path === MANIFEST ? [] : leaksIn(path, bytes.toString("utf8"), secrets)),
  ])
}

/** What the terminal showed, with the command that shows each outcome. */
function transcriptOf(events: readonly RunEvent[]): string {
  let text = ""
  const reader = terminal({ write: (part) => void (text += part), width: WIDTH, isTTY: false }, true)
  for (const event of events) reader(event)
  return text
}

/**
 * Writes a submission as a folder, and beside it as an archive, FOLDER.tar.gz. Both appear when they are complete.
 * @param finish is called with the folder before it gets its name, for example to sign it; returns the files of the archive
 */
export async function written(
  folder: string,
  files: ReadonlyMap<string, Content>,
  finish: (folder: string) => Promise<ReadonlyMap<string, Content>>,
): Promise<{ folder: string; archive: string }> {
  const beside = `${folder}.${process.pid}.tmp`
  const archive = `${folder}.tar.gz`
  try {
    for (const [path, { bytes, mode }] of files) {
      await mkdir(join(beside, dirname(path)), { recursive: true })
      await writeFile(join(beside, path), bytes, { mode: mode & 0o777 })
    }
    const all = await finish(beside)
    await archived(`${beside}.tar.gz`, basename(folder), all)
    await rm(folder, { recursive: true, force: true }) // It is empty: the caller has made sure of that.
    await rename(beside, folder)
    await rename(`${beside}.tar.gz`, archive)
    return { folder, archive }
  } finally {
    await rm(beside, { recursive: true, force: true })
    await rm(`${beside}.tar.gz`, { force: true })
  }
}

async function archived(path: string, name: string, files: ReadonlyMap<string, Content>): Promise<void> {
  const tar = pack()
  const done = pipeline(tar, createGzip(), createWriteStream(path))
  for (const [file, { bytes, mode }] of byPath(files))
    tar.entry({ name: join(name, file), mode: (mode & 0o100) === 0 ? 0o644 : 0o755, mtime: new Date(0) }, bytes)
  tar.finalize()
  await done
}

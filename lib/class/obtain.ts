import { ExecaError } from "execa"
import { createHash } from "node:crypto"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { dependentCommand } from "../base/dependent-command.ts"
import { problemOf, UsageError } from "../base/errors.ts"
import { SCRIPTS } from "../submission/compose.ts"
import { MANIFEST } from "../submission/manifest.ts"
import { readFolder } from "../subjects/folder.ts"
import { unpack, unpackTar } from "./archive.ts"
import type { ScriptSource } from "./class-file.ts"
import { SubjectError } from "./subject-error.ts"

/** The scripts of a student, ready to be graded. */
export interface Obtained {
  /** The folder with the start scripts. */
  readonly folder: string
  /** Changes if a file or its mode changes. */
  readonly digest: string
  /** The commit, for a git repository. */
  readonly commit: string | undefined
  /** The date of the commit, in milliseconds since the epoch. */
  readonly committed: number | undefined
}

/** Milliseconds that a git command may take. */
const PATIENCE = 120_000
/** The largest output of git archive (bytes). */
const LARGEST = 64 * 2 ** 20
/** The exit status of a shell for a program that does not exist. */
const NOT_FOUND = 127
/** How many folders may be around the one with the scripts. */
const DEEPEST = 4

/**
 * Gets a student's scripts: from a folder as it is, or as a copy from an archive or a commit.
 * @param work a folder for the copy; it does not exist yet
 * @param signal ends it
 * @throws SubjectError if there are no scripts, or if they cannot be obtained
 */
export async function obtain(source: ScriptSource, work: string, signal: AbortSignal): Promise<Obtained> {
  if (source.kind === "folder") return obtained(await homeOf(source.path))
  const files = join(work, "files")
  await mkdir(files, { recursive: true, mode: 0o700 })
  if (source.kind === "archive") {
    await unpack(source.path, files)
    return obtained(await homeOf(files))
  }
  const { commit, committed, tar } = await fetched(source, join(work, "git"), signal)
  await unpackTar(tar, files)
  return { ...(await obtained(await homeOf(files))), commit, committed }
}

/**
 * The folder with the start scripts. Archives often have a folder around it, and a submission of `byhand submit` has
 * the scripts in a folder.
 */
async function homeOf(root: string, depth = 0): Promise<string> {
  const entries = await readdir(root, { withFileTypes: true })
  if (entries.some(({ name }) => /^\d\d-.*\.sh$/.test(name)) || depth === DEEPEST) return root
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
  const inside =
    entries.some(({ name }) => name === MANIFEST) && folders.some(({ name }) => name === SCRIPTS)
      ? SCRIPTS
      : folders.length === 1
        ? folders[0]?.name
        : undefined
  return inside === undefined ? root : homeOf(join(root, inside), depth + 1)
}

async function obtained(folder: string): Promise<Obtained> {
  try {
    const { files } = await readFolder(folder)
    const hash = createHash("sha256")
    for (const { name, mode } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const bytes = await readFile(join(folder, name))
      hash.update(JSON.stringify([name, (mode & 0o100) !== 0, bytes.length])).update(bytes)
    }
    return { folder, digest: hash.digest("hex"), commit: undefined, committed: undefined }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    // The path of a copy means nothing to the teacher.
    throw new SubjectError(
      problemOf(error).replace(`${folder}/`, "").replace(folder, "the folder").replace(/\.$/, ""),
      {
        cause: error,
      },
    )
  }
}

/** The files of a commit. Only this commit is fetched, and nothing of it is run: neither hooks nor filters. */
async function fetched(
  { url, ref }: Extract<ScriptSource, { kind: "git" }>,
  repository: string,
  signal: AbortSignal,
): Promise<{ commit: string; committed: number; tar: Buffer }> {
  try {
    await git(signal, "init", "--quiet", "--bare", repository)
    const inside = ["--git-dir", repository, "-c", "gc.auto=0", "-c", "maintenance.auto=false"]
    // The repository's own attributes could leave files out, or change them.
    await writeFile(join(repository, "info", "attributes"), "* -export-ignore -export-subst -text -ident -filter\n")
    await git(
      signal,
      ...inside,
      "fetch",
      "--quiet",
      "--depth=1",
      "--no-tags",
      "--no-recurse-submodules",
      "--",
      url,
      ref,
    )
    const { stdout } = await git(signal, ...inside, "log", "-1", "--format=%H %cI", "FETCH_HEAD")
    const [commit = "", date = ""] = Buffer.from(stdout).toString().trim().split(" ")
    const archive = await git(signal, ...inside, "archive", "--format=tar", commit)
    return { commit, committed: Date.parse(date), tar: Buffer.from(archive.stdout) }
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error
    throw new SubjectError(`git: ${whatGitSays(error)}`, { cause: error })
  }
}

/** Git and its helpers do not outlive this process, even if that is killed. */
function git(signal: AbortSignal, ...words: string[]) {
  return dependentCommand(["git", ...words], {
    encoding: "buffer",
    maxBuffer: LARGEST,
    timeout: PATIENCE,
    cancelSignal: signal,
    // No person can answer a question here.
    env: { GIT_TERMINAL_PROMPT: "0", GIT_SSH_COMMAND: process.env["GIT_SSH_COMMAND"] ?? "ssh -o BatchMode=yes" },
  })
}

/** The first line with which git says what is wrong. */
function whatGitSays({ stderr, timedOut, isMaxBuffer, exitCode, shortMessage }: ExecaError): string {
  if (timedOut) return `no answer after ${PATIENCE / 1000} s`
  if (isMaxBuffer) return `the repository contains more than ${LARGEST / 2 ** 20} MiB`
  if (exitCode === NOT_FOUND) return "the program git is not installed on this host"
  const lines = (stderr instanceof Uint8Array ? Buffer.from(stderr).toString() : "").split("\n")
  const line = lines.find((one) => /^(fatal|error): /.test(one)) ?? lines.find((one) => one !== "")
  return line?.replace(/^(fatal|error): /, "") ?? shortMessage
}

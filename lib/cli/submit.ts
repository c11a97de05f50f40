import { readdirSync, readFileSync, statSync } from "node:fs"
import { basename, join, relative, resolve } from "node:path"
import { UsageError } from "../base/errors.ts"
import { quote } from "../base/shell.ts"
import { ownVersion } from "../base/version.ts"
import { lessons } from "../curriculum/lessons.ts"
import { wasGraded } from "../report/points.ts"
import { readFolder } from "../subjects/folder.ts"
import { composed, leaksOf, written } from "../submission/compose.ts"
import { secretsOfCluster, secretsOfEnvironment, secretsOn, tooShort } from "../submission/known-secrets.ts"
import { SHORTEST, type Leak, type Secret } from "../submission/leaks.ts"
import { filesOf, type Content } from "../submission/manifest.ts"
import type { Stamped } from "../submission/note.ts"
import { sign } from "../submission/signature.ts"
import { programsOn, viewsOf } from "../submission/views.ts"
import { withGradedMachine } from "./graded-machine.ts"
import { environmentOf } from "./inside.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"

/** The options of submit, besides those that every command has. */
export interface SubmitOptions extends CommonOptions {
  readonly out?: string
  /** The file of an ssh key that signs the submission. */
  readonly key?: string
  readonly student?: string
}

/** Milliseconds that kubectl may take to list the Secrets. */
const LIMIT = 60_000

/**
 * Grades a learner's folder, and writes what the workshop asks for, as a folder and an archive. Refuses to write if a
 * file contains a secret.
 * @throws UsageError
 */
export async function submit(given: string, options: SubmitOptions): Promise<Outcome> {
  const settings = settingsOf(options)
  const path = resolve(given)
  const folder = await readFolder(path)
  const out = admitOut(options.out, path)
  if (options.key !== undefined && statSync(options.key, { throwIfNoEntry: false })?.isFile() !== true)
    throw new UsageError(`--key ${options.key} is not a file.`, "Name an ssh key, such as ~/.ssh/id_ed25519.")
  const student = options.student ?? settings.student ?? basename(path)
  const scripts = new Map(
    folder.files.map(({ name, mode }): [string, Content] => [name, { bytes: readFileSync(join(path, name)), mode }]),
  )

  const events: Stamped[] = []
  // A lesson can replace keys, so the machine is searched when each lesson begins.
  const earlier: Promise<Secret[]>[] = []
  return withGradedMachine(
    {
      folder: path,
      settings,
      lessons,
      isQuiet: options.json === true,
      readerFor: (machine) => (event) => {
        events.push({ at: Date.now(), event })
        if (event.type === "lesson started") earlier.push(secretsOn(machine).catch(() => []))
      },
    },
    async ({ machine, result }) => {
      if (!wasGraded(result))
        return {
          text: "\nNothing was written, because nothing could be graded. The reason is above.\n",
          data: { leaks: [] },
          exitCode: 1,
        }
      process.stderr.write("Looking at the cluster, and for secrets …\n")
      const environment = await environmentOf(machine)
      const listed = await machine.run(["kubectl", "get", "secrets", "--all-namespaces", "-o", "json"], {
        env: environment,
        timeout: LIMIT,
      })
      const secrets = [
        ...(await Promise.all(earlier)).flat(),
        ...(await secretsOn(machine)),
        ...(listed.exitCode === 0 ? secretsOfCluster(listed.stdout) : []),
        ...secretsOfEnvironment(process.env),
      ]
      const about = { suite: ownVersion(), ...(await programsOn(machine)) }
      const files = composed({
        student,
        scripts,
        events,
        result,
        views: await viewsOf(machine, environment),
        about,
        secrets,
      })
      const leaks = [...leaksOf(files, secrets), ...tooShort(secrets).map(leakOfShort)]
      if (leaks.length > 0) return refusal(leaks)
      const { key } = options
      const { archive } = await written(out, files, async (finished) => {
        if (key !== undefined) await sign(finished, key)
        const all = await filesOf(finished)
        return new Map([...all].flatMap(([file, content]) => (content === undefined ? [] : [[file, content]])))
      })
      return {
        text: [
          "",
          `${out} has the submission of ${student}, and ${archive} is the same as an archive.`,
          key === undefined ? "It is not signed. --key ~/.ssh/id_ed25519 signs it." : `It is signed with ${key}.`,
          `Read ${join(out, "note.md")}. Your own words belong into words.md in your folder; then submit again.`,
          "",
        ].join("\n"),
        data: { folder: out, archive, isSigned: key !== undefined },
      }
    },
  )
}

/** @throws UsageError if the folder cannot take a submission */
function admitOut(given: string | undefined, subject: string): string {
  if (given === undefined)
    throw new UsageError("byhand submit needs a folder to write to.", "Write: npx byhand submit FOLDER --out DIR")
  const out = resolve(given)
  if (out === subject || !relative(subject, out).startsWith(".."))
    throw new UsageError(`${given} lies in the folder that is submitted.`, "Choose a folder outside of it.")
  for (const path of [out, `${out}.tar.gz`]) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined && !(found.isDirectory() && readdirSync(path).length === 0))
      throw new UsageError(`${path} exists already.`, `Choose another folder, or remove it: rm -r ${quote([path])}`)
  }
  return out
}

function leakOfShort({ origin, value }: Secret): Leak {
  return {
    file: origin,
    line: 1,
    what: `a secret of ${value.length} characters, too short to be searched for; use at least ${SHORTEST}, as in: openssl rand -hex 16`,
  }
}

function refusal(leaks: readonly Leak[]): Outcome {
  return {
    text: [
      "",
      "Nothing was written, because a submission must not contain a secret:",
      ...leaks.map(({ file, line, what }) => `  ${file}, line ${line}: ${what}`),
      "Let the script make the secret when it runs (openssl rand -hex 16), and use a variable in its place.",
      "",
    ].join("\n"),
    data: { leaks },
    exitCode: 1,
  }
}

import { statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type { Shard } from "../base/shard.ts"
import type { UsageError } from "../base/errors.ts"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { isArchive } from "./archive.ts"
import { decimal } from "./decimal.ts"
import { classSchema, SOURCES, type ClassDocument, type SubjectDocument } from "./class-schema.ts"
import { readInventory } from "./inventory.ts"
import { checked, refusal, type Origin, type Path } from "./origin.ts"
import { readYamlFile } from "./yaml-file.ts"

/** Where the scripts of a student are. Paths are absolute. */
export type ScriptSource =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "archive"; readonly path: string }
  | { readonly kind: "git"; readonly url: string; readonly ref: string }

/** A running host of a student: "local", or ssh://USER@HOST:PORT. */
export interface HostSource {
  readonly kind: "host"
  readonly target: string
  /** The OpenSSH configuration with which it is reached; undefined for that of the user. */
  readonly sshConfig: string | undefined
}

/** What of a student is graded. */
export type Source = ScriptSource | HostSource

/** A student of a class, as far as the grade book needs it. */
export interface Participant {
  readonly id: string
  /** When it was handed in, in milliseconds since the epoch; undefined if the file does not say it. */
  readonly submitted: number | undefined
  /** When it was due; undefined if the class has no such time. */
  readonly due: number | undefined
}

/** A student of a class. */
export interface Student extends Participant {
  readonly source: Source
}

/** What lateness takes, in percent of what was reached. */
export interface LateRule {
  readonly perDay: number
  readonly atMost: number
}

/** How a class is graded. */
export interface Rules {
  /** The lessons to grade, as two digits, in order. */
  readonly lessons: readonly string[]
  /** Whether the file names the lessons, so that a lesson which a student leaves out fails. */
  readonly isChosen: boolean
  /** Percentages by lesson, with the sum 100; undefined if each outcome counts the same. */
  readonly weights: ReadonlyMap<string, number> | undefined
  readonly credit: "per outcome" | "per lesson"
  readonly due: number | undefined
  readonly late: LateRule | undefined
}

/** A class. */
export interface Class {
  readonly title: string | undefined
  readonly rules: Rules
  /** Whether the cluster of each student must have values of its own: those of the student's id. */
  readonly isIndividual: boolean
  readonly students: readonly Student[]
}

/** A class without its students. */
export type ClassHead = Pick<Class, "title" | "rules">

/** A part of a class: parts of nearly the same size, in the order of the class. */
export function partOf(whole: Class, [at, of]: Shard): Class {
  const { length } = whole.students
  const until = (part: number) => Math.floor((part * length) / of)
  return { ...whole, students: whole.students.slice(until(at - 1), until(at)) }
}

/**
 * Reads a class from class.yaml, from an inventory, or the rules from the first and the students from the second.
 * @param file class.yaml
 * @param inventory a table with a row for each student, or an inventory of hosts
 * @throws UsageError that names the line, for any mistake, also for a folder or archive that does not exist
 */
export function readClass(file: string | undefined, inventory: string | undefined): Class {
  const yaml = file === undefined ? undefined : readClassYaml(file)
  const table = inventory === undefined ? undefined : { ...readInventory(inventory), prefix: [] }
  if (yaml !== undefined && table !== undefined && yaml.document.subjects !== undefined)
    throw refusal(yaml.origin, ["subjects"], true, "has students, and so has --inventory", "Keep one of the two lists.")
  const students = table ?? {
    origin: yaml?.origin ?? { file: "", lineOf: () => 1 },
    subjects: yaml?.document.subjects,
    prefix: ["subjects"],
    sshConfig: undefined,
  }
  if (students.subjects === undefined)
    throw refusal(
      students.origin,
      [],
      false,
      "has no students",
      "Add subjects: with an id and a folder for each, or name a file that lists them with --inventory.",
    )
  const rules = rulesOf(yaml?.document ?? {}, yaml?.origin ?? students.origin)
  const { origin, prefix, sshConfig } = students
  return {
    title: yaml?.document.title,
    rules,
    isIndividual: yaml?.document.values === "individual",
    students: studentsOf(
      students.subjects,
      rules,
      { folder: dirname(origin.file), sshConfig },
      (at, key, problem, remedy) =>
        refusal(origin, [...prefix, at, ...(key === undefined ? [] : [key])], false, problem, remedy),
    ),
  }
}

function readClassYaml(file: string): { document: ClassDocument; origin: Origin } {
  const { value, origin } = readYamlFile(file)
  return { document: checked(classSchema, value, origin, []), origin }
}

function rulesOf(document: ClassDocument, origin: Origin): Rules {
  const { weights: givenWeights, lessons: givenLessons, late, due } = document
  const wrong = (path: Path, problem: string, remedy: string) => refusal(origin, path, true, problem, remedy)
  const weights =
    givenWeights === undefined
      ? undefined
      : new Map(Object.entries(givenWeights).map(([id, percent]) => [two(id), percentOf(percent)]))
  const ids = givenLessons?.map(two)
  const twice = ids?.findIndex((id, at) => ids.indexOf(id) !== at) ?? -1
  if (twice >= 0) throw wrong(["lessons", twice], "names a lesson for the second time", "Name each lesson once.")
  if (weights !== undefined) {
    if (weights.size < Object.keys(givenWeights ?? {}).length)
      throw wrong(["weights"], "has a lesson twice", "Give each lesson one weight.")
    const sum = [...weights.values()].reduce((total, weight) => total + weight, 0)
    if (Math.abs(sum - 100) > 0.001)
      throw wrong(["weights"], `has the sum ${decimal(sum)} %`, "Change the weights so that their sum is 100 %.")
    const without = ids?.find((id) => !weights.has(id))
    if (without !== undefined)
      throw wrong(["weights"], `has no weight for lesson ${without}`, `Add one, such as ${without}: 0 %.`)
    const extra = ids === undefined ? undefined : [...weights.keys()].find((id) => !ids.includes(id))
    if (extra !== undefined)
      throw wrong(
        ["weights"],
        `has lesson ${extra}, which is not one of lessons`,
        "Add it there, or remove its weight.",
      )
  }
  if (
    late !== undefined &&
    due === undefined &&
    document.subjects?.some((subject) => subject.due !== undefined) !== true
  )
    throw wrong(["late"], "needs a time from which on students are late", "Add due: with a date, time and time zone.")
  const chosen = ids ?? (weights === undefined ? undefined : [...weights.keys()])
  return {
    lessons: lessons.map(lessonId).filter((id) => chosen?.includes(id) ?? true),
    isChosen: chosen !== undefined,
    weights,
    credit: document.credit ?? "per outcome",
    due: timeOf(due),
    late:
      late === undefined
        ? undefined
        : { perDay: percentOf(late["per day"]), atMost: percentOf(late["at most"] ?? "100 %") },
  }
}

type Wrong = (at: number, key: string | undefined, problem: string, remedy: string) => UsageError

/** What holds for all sources of a file. */
interface Around {
  /** The one to which paths are relative. */
  readonly folder: string
  readonly sshConfig: string | undefined
}

function studentsOf(subjects: readonly SubjectDocument[], { due }: Rules, around: Around, wrong: Wrong): Student[] {
  const seen = new Map<string, string>()
  return subjects.map((subject, at) => {
    // File systems of other systems do not distinguish such names.
    const key = subject.id.normalize("NFC").toLowerCase()
    const earlier = seen.get(key)
    if (earlier !== undefined)
      throw wrong(
        at,
        "id",
        earlier === subject.id ? `${subject.id} is given twice` : `${subject.id} and ${earlier} are the same name`,
        "Give each student an id of their own.",
      )
    seen.set(key, subject.id)
    const [first, second] = SOURCES.filter((source) => subject[source] !== undefined)
    if (first === undefined || second !== undefined)
      throw wrong(
        at,
        undefined,
        `${subject.id} ${first === undefined ? "does not say what to grade" : `has both ${first} and ${second ?? ""}`}`,
        `Give exactly one of ${SOURCES.join(", ")}.`,
      )
    if (subject.ref !== undefined && subject.git === undefined)
      throw wrong(at, "ref", "belongs to git", "Remove it, or name a git repository.")
    return {
      id: subject.id,
      source: sourceOf(subject, around, (problem, remedy) => wrong(at, first, problem, remedy)),
      submitted: timeOf(subject.submitted),
      due: timeOf(subject.due) ?? due,
    }
  })
}

function sourceOf(
  { folder, git, ref = "HEAD", archive, host }: SubjectDocument,
  { folder: from, sshConfig }: Around,
  wrong: (problem: string, remedy: string) => UsageError,
): Source {
  const remedy = "Correct the path, which is relative to the file that names it."
  const found = (path: string) => statSync(path, { throwIfNoEntry: false })
  if (folder !== undefined) {
    const path = resolve(from, folder)
    if (found(path)?.isDirectory() !== true) throw wrong(`is not a folder: ${path}`, remedy)
    return { kind: "folder", path }
  }
  if (archive !== undefined) {
    const path = resolve(from, archive)
    if (!isArchive(path)) throw wrong(`has an unknown ending: ${archive}`, "Name a .tar.gz, .tgz or .zip.")
    if (found(path)?.isFile() !== true) throw wrong(`is not a file: ${path}`, remedy)
    return { kind: "archive", path }
  }
  if (host !== undefined) return { kind: "host", target: host, sshConfig }
  const given = git ?? ""
  // An address has a scheme, or a host before a colon.
  if (/^[^/]+:/.test(given)) return { kind: "git", url: given, ref }
  const url = resolve(from, given)
  if (found(url)?.isDirectory() !== true)
    throw wrong(`is not a folder: ${url}`, `${remedy} The address of a repository has a scheme, such as https://.`)
  return { kind: "git", url, ref }
}

function two(id: string): string {
  return id.padStart(2, "0")
}

function percentOf(text: string): number {
  return Number.parseFloat(text)
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text.replace(" ", "T"))
}

import { parse as parseCsv, CsvError } from "csv-parse/sync"
import { readFileSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { LineCounter, parseDocument, isMap, isScalar, isNode, type Document } from "yaml"
import { z } from "zod"
import { messageOf, UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { isArchive } from "./archive.ts"
import { decimal } from "./decimal.ts"
import { classSchema, KEYS, SOURCES, subjectSchema, type ClassDocument, type SubjectDocument } from "./class-schema.ts"

/** Where the scripts of a student are. Paths are absolute. */
export type ScriptSource =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "archive"; readonly path: string }
  | { readonly kind: "git"; readonly url: string; readonly ref: string }

/** A running host of a student: "local", or ssh://USER@HOST:PORT. */
export interface HostSource {
  readonly kind: "host"
  readonly target: string
}

/** What of a student is graded. */
export type Source = ScriptSource | HostSource

/** A student of a class. */
export interface Student {
  readonly id: string
  readonly source: Source
  /** When it was handed in, in milliseconds since the epoch; undefined if the file does not say it. */
  readonly submitted: number | undefined
  /** When it was due; undefined if the class has no such time. */
  readonly due: number | undefined
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
  readonly students: readonly Student[]
}

type Path = readonly PropertyKey[]

/** A file that the user has written, and where its values are in it. */
interface Origin {
  readonly file: string
  /** The line of a value, from 1; of a key if `isKey`. */
  readonly lineOf: (path: Path, isKey: boolean) => number
}

/**
 * Reads a class from class.yaml, from an inventory, or the rules from the first and the students from the second.
 * @param file class.yaml
 * @param inventory a CSV file with a row for each student
 * @throws UsageError that names the line, for any mistake, also for a folder or archive that does not exist
 */
export function readClass(file: string | undefined, inventory: string | undefined): Class {
  const yaml = file === undefined ? undefined : readYaml(file)
  const table = inventory === undefined ? undefined : readInventory(inventory)
  if (yaml !== undefined && table !== undefined && yaml.document.subjects !== undefined)
    throw refusal(yaml.origin, ["subjects"], true, "has students, and so has --inventory", "Keep one of the two lists.")
  const students = table ?? {
    origin: yaml?.origin ?? { file: "", lineOf: () => 1 },
    subjects: yaml?.document.subjects,
    prefix: ["subjects"],
  }
  if (students.subjects === undefined)
    throw refusal(
      students.origin,
      [],
      false,
      "has no students",
      "Add subjects: with an id and a folder for each, or name a CSV file with --inventory.",
    )
  const rules = rulesOf(yaml?.document ?? {}, yaml?.origin ?? students.origin)
  const { origin, prefix } = students
  return {
    title: yaml?.document.title,
    rules,
    students: studentsOf(students.subjects, rules, dirname(origin.file), (at, key, problem, remedy) =>
      refusal(origin, [...prefix, at, ...(key === undefined ? [] : [key])], false, problem, remedy),
    ),
  }
}

function readYaml(file: string): { document: ClassDocument; origin: Origin } {
  const counter = new LineCounter()
  // Without YAML's types all values are texts. With them, a lesson 01 or a student 0042 would lose the zeros.
  const parsed = parseDocument(textOf(file), { schema: "failsafe", lineCounter: counter, prettyErrors: false })
  const lineAt = (offset: number) => counter.linePos(offset).line
  const origin: Origin = { file, lineOf: (path, isKey) => lineAt(offsetOf(parsed, path, isKey)) }
  const [wrong] = [...parsed.errors, ...parsed.warnings]
  if (wrong !== undefined)
    throw new UsageError(
      `${file}, line ${lineAt(wrong.pos[0])}: this is not YAML: ${wrong.message.split("\n")[0] ?? ""}.`,
      "Correct the line; keys end in a colon and a space, and tabs do not indent.",
    )
  return { document: checked(classSchema, valueOf(parsed, origin), origin, []), origin }
}

function valueOf(parsed: Document, origin: Origin): unknown {
  try {
    return parsed.toJS()
  } catch (error) {
    throw refusal(origin, [], false, `cannot be read: ${messageOf(error)}`, "Write it without aliases.") // Too many.
  }
}

/** The offset of a value or of its key. If there is no such value, that of the nearest value around it. */
function offsetOf(parsed: Document, path: Path, isKey: boolean): number {
  for (let length = path.length; length > 0; length--) {
    const at = path.slice(0, length)
    const around = parsed.getIn(at.slice(0, -1), true)
    if (isKey && length === path.length && isMap(around)) {
      const key = around.items.find((item) => isScalar(item.key) && item.key.value === at.at(-1))?.key
      if (isScalar(key) && key.range != null) return key.range[0]
    }
    const node = parsed.getIn(at, true)
    if (isNode(node) && node.range != null) return node.range[0]
  }
  return 0
}

function readInventory(file: string): { subjects: SubjectDocument[]; origin: Origin; prefix: Path } {
  const rows = parsedCsv(file)
  const [header] = rows
  const names = header?.record ?? []
  for (const [at, name] of names.entries()) {
    const isTwice = names.indexOf(name) !== at
    if (!KEYS.subject.includes(name) || isTwice)
      throw new UsageError(
        `${file}, line 1: there is ${isTwice ? "a second" : "no"} column ${name === "" ? "without a name" : name}.`,
        `${isTwice ? "" : didYouMean(name, KEYS.subject)}The columns are id, one or more of ${SOURCES.join(", ")}, and ref, submitted, due.`,
      )
  }
  const origin: Origin = { file, lineOf: ([at]) => rows[Number(at) + 1]?.line ?? 1 }
  const subjects = rows.slice(1).map(({ record, line }, at) => {
    if (record.length !== names.length)
      throw new UsageError(
        `${file}, line ${line}: it has ${record.length} cells, and the first line has ${names.length}.`,
        "Give each line the same number of cells.",
      )
    // An empty cell is no value.
    const entries = names.flatMap((name, column) => (record[column] === "" ? [] : [[name, record[column]] as const]))
    return checked(subjectSchema, Object.fromEntries(entries), origin, [at])
  })
  return { subjects, origin, prefix: [] }
}

function parsedCsv(file: string): { record: string[]; line: number }[] {
  const lines: number[] = []
  try {
    const records = parseCsv(textOf(file), {
      bom: true,
      trim: true,
      relaxColumnCount: true,
      skipEmptyLines: true,
      onRecord: (record: string[], context) => {
        lines.push(context.lines)
        return record
      },
    }) as string[][] // Without `columns`, records are lists of texts.
    return records.map((record, at) => ({ record, line: lines[at] ?? 1 }))
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw new UsageError(
      `${file} is no CSV file: ${error.message}.`,
      'Put a cell with a comma, a quote or a line break in double quotes, and write "" for a quote in it.',
      { cause: error },
    )
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}.`, "Name a file that lists the students.", {
      cause: error,
    })
  }
}

/** @throws UsageError for the first thing that the schema does not admit */
function checked<T>(schema: z.ZodType<T>, value: unknown, origin: Origin, prefix: Path): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  if (issue === undefined) throw result.error
  throw ofIssue(issue, origin, prefix)
}

/** What the schema expects, in words. */
const SHAPES: Partial<Record<string, string>> = {
  array: "a list",
  object: "keys with values",
  record: "keys with values",
}

function ofIssue(issue: z.core.$ZodIssue, origin: Origin, prefix: Path): UsageError {
  const path = [...prefix, ...issue.path]
  const keys = keysAt(path)
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys
    return refusal(
      origin,
      [...path, key],
      true,
      "is not known",
      `${didYouMean(key, keys)}There are ${keys.join(", ")}.`,
    )
  }
  if (issue.code === "invalid_key")
    return refusal(origin, path, true, issue.issues[0]?.message ?? "is not valid", remedyFor(["lessons"]))
  if (issue.code !== "invalid_type") return refusal(origin, path, false, issue.message, remedyFor(path))
  if (issue.message.endsWith("received undefined")) return refusal(origin, path, false, "is missing", "Add it.")
  const shape = SHAPES[issue.expected] ?? "one value"
  return refusal(origin, path, false, `must be ${shape}`, "The README has an example.")
}

/** The keys that are known where a path leads to. */
function keysAt(path: Path): readonly string[] {
  if (path.at(-1) === "late") return KEYS.late
  return path.length === 0 ? KEYS.file : KEYS.subject
}

function remedyFor(path: Path): string {
  return path[0] === "lessons" ? `There are ${lessons.map(lessonId).join(", ")}.` : "Correct it."
}

/** The path of a value as people write it, such as subjects[2].git. */
function pathText(path: Path): string {
  return path
    .map((part, at) => (typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${String(part)}`))
    .join("")
}

function refusal({ file, lineOf }: Origin, path: Path, isKey: boolean, problem: string, remedy: string): UsageError {
  // In an inventory, the line names the student.
  const [first] = path
  const named = typeof first === "number" ? path.slice(1) : path
  const name = named.length === 0 ? "" : `${pathText(named)} `
  return new UsageError(`${file}, line ${lineOf(path, isKey)}: ${name === "" ? "it " : name}${problem}.`, remedy)
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

/** @param folder the one to which paths are relative */
function studentsOf(subjects: readonly SubjectDocument[], { due }: Rules, folder: string, wrong: Wrong): Student[] {
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
      source: sourceOf(subject, folder, (problem, remedy) => wrong(at, first, problem, remedy)),
      submitted: timeOf(subject.submitted),
      due: timeOf(subject.due) ?? due,
    }
  })
}

function sourceOf(
  { folder, git, ref = "HEAD", archive, host }: SubjectDocument,
  from: string,
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
  if (host !== undefined) return { kind: "host", target: host }
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

import { readdir, readFile, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { messageOf } from "../base/errors.ts"
import { packageRoot } from "../base/settings.ts"
import { readFolder } from "../subjects/folder.ts"
import type { ScriptSource, Student } from "./class-file.ts"
import { obtain, type Obtained } from "./obtain.ts"
import type { HostSimilarities } from "./identifiers.ts"
import { keysIn, withoutKeys, type OwnKey } from "./own-keys.ts"
import { wordsOf, type Word } from "./script-words.ts"
import type { Store } from "./store.ts"

/** A file of a student, or a line of it. */
export interface Place {
  readonly student: string
  readonly file: string
}

/** A key or certificate in the folders of several students. */
export interface SharedKey extends OwnKey {
  readonly places: readonly Place[]
}

/** A line that two files have in common, as each of them has it. */
export interface SharedLine {
  readonly texts: readonly [string, string]
  /** From 1. */
  readonly lines: readonly [number, number]
}

/** Two files that are alike. */
export interface AlikeFiles {
  readonly files: readonly [string, string]
  /** The part of the shorter file's own text that the other has too, from 0 to 1. */
  readonly share: number
  /** Lines that few others have, in the order of the first file. */
  readonly examples: readonly SharedLine[]
}

/** Two students with files that are alike. */
export interface AlikePair {
  readonly students: readonly [string, string]
  /** The most alike first. */
  readonly files: readonly AlikeFiles[]
}

/** What the folders of a class have in common. It is no verdict on any student. */
export interface Similarities {
  readonly keys: readonly SharedKey[]
  /** The most alike first. */
  readonly pairs: readonly AlikePair[]
  /** What running hosts have in common. */
  readonly hosts: HostSimilarities
  /** How many folders were compared. */
  readonly compared: number
  /** Who was not compared, and why. */
  readonly others: readonly { readonly id: string; readonly reason: string }[]
  /** How many passages were left out because so many students have them that they seem to be given. */
  readonly given: number
}

/** The files of a student that are compared. */
export interface Texts {
  readonly id: string
  readonly files: readonly { readonly name: string; readonly text: string }[]
}

/** What was read of a student's folder, or why it cannot be compared. */
export type Reading = Pick<Texts, "files"> | { readonly reason: string }

/** How many words in a row are compared. Fewer are the same by chance: programs ask for the same flags. */
const ROW = 6
/** Files are alike if they have this many rows in common, and this part of the own rows of the shorter one. */
const LEAST = 30
const LEAST_SHARE = 0.5
/** A row that more students have is taken as given by the teacher: it says nothing about two of them. */
const GIVEN = { least: 10, part: 0.5, most: 50 } as const
/** Limits for one student: files, bytes of a file and of all, and words. Start scripts are far smaller. */
const MOST_FILES = 100
const LARGEST_FILE = 256 * 1024
const MOST_BYTES = 1024 * 1024
const MOST_WORDS = 10_000
/** The largest number of pairs that are looked at closely. */
const MOST_PAIRS = 300
/** The largest number of files that are listed for a pair, and of lines that are shown of them. */
const MOST_ALIKE = 10
const MOST_EXAMPLES = 3
/** A shorter line says nothing. */
const SHORTEST_LINE = 12

/**
 * Compares the scripts of a class, and its hosts.
 * @param store has a place for copies of archives and repositories
 * @param known what has been read already, by the student's id; the other students' scripts are obtained here
 * @param hosts what hosts have in common; they have no scripts
 * @param signal ends it: then no further student is compared
 */
export async function compareClass(
  students: readonly Student[],
  store: Pick<Store, "workOf">,
  known: ReadonlyMap<string, Reading>,
  hosts: HostSimilarities,
  signal: AbortSignal,
): Promise<Similarities> {
  const [texts, others]: [Texts[], { id: string; reason: string }[]] = [[], []]
  for (const { id, source } of students) {
    if (signal.aborted) break
    if (source.kind === "host") continue
    const reading = known.get(id) ?? (await readAnew(source, store.workOf(id), signal))
    if ("files" in reading) texts.push({ id, files: reading.files })
    else others.push({ id, reason: reading.reason })
  }
  return { ...similaritiesOf(texts, await shippedTexts()), hosts, others }
}

async function readAnew(source: ScriptSource, work: string, signal: AbortSignal): Promise<Reading> {
  try {
    return await readTexts(obtain(source, work, signal))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Reads the texts of a student. @param obtaining the student's scripts; it may reject */
export async function readTexts(obtaining: Promise<Pick<Obtained, "folder">>): Promise<Reading> {
  try {
    return { files: await textsIn((await obtaining).folder) }
  } catch (error) {
    return { reason: messageOf(error).split("\n")[0] ?? "" }
  }
}

/** The texts in a student's folder. Prose, programs and what is too large are not read. */
async function textsIn(folder: string): Promise<Texts["files"]> {
  const { files } = await readFolder(folder)
  const texts: { name: string; text: string }[] = []
  let left = MOST_BYTES
  for (const { name } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, MOST_FILES)) {
    const path = join(folder, name)
    const { size } = await stat(path)
    if (/(\.md|-lock\.json)$/.test(name) || size > Math.min(left, LARGEST_FILE)) continue
    left -= size
    const text = await readFile(path, "utf8")
    if (!text.includes("\0")) texts.push({ name, text })
  }
  return texts
}

/** What the workshop itself gives to everybody: scaffold, solution and hints. */
async function shippedTexts(): Promise<string[]> {
  const fixtures = join(packageRoot, "fixtures")
  const folders = await Promise.all(
    ["scaffold", "solution", "hints"].map(async (name) =>
      (await readdir(join(fixtures, name), { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    ),
  )
  const texts = await Promise.all(folders.flat().map((file) => readFile(file, "utf8")))
  // The hints are in JSON, which writes line breaks and quotes in its own way.
  return texts.map((text) => text.replaceAll(String.raw`\n`, "\n").replaceAll(String.raw`\"`, '"'))
}

interface Read {
  readonly name: string
  readonly lines: readonly string[]
  /** Rows of words, each by a number that stands for its words, with the line where it begins. */
  readonly rows: Map<number, number>
}

/** @param shipped texts that everybody has, so that they do not count */
export function similaritiesOf(
  students: readonly Texts[],
  shipped: readonly string[],
): Omit<Similarities, "others" | "hosts"> {
  const known = new Set(shipped.flatMap((text) => [...rowsOf(wordsOf(text)).keys()]))
  const read = students.map(({ id, files }) => ({ id, files: readFiles(files, known) }))
  const owners = new Map<number, number[]>()
  for (const [at, { files }] of read.entries())
    for (const row of new Set(files.flatMap(({ rows }) => [...rows.keys()]))) {
      const list = owners.get(row)
      if (list === undefined) owners.set(row, [at])
      else list.push(at)
    }
  const most = Math.min(GIVEN.most, Math.max(GIVEN.least, students.length * GIVEN.part))
  const given = new Set<number>()
  const counts = new Map<number, number>()
  for (const [row, who] of owners) {
    if (who.length > most) {
      given.add(row)
      continue
    }
    for (const [at, a] of who.entries())
      for (const b of who.slice(at + 1)) counts.set(a * read.length + b, (counts.get(a * read.length + b) ?? 0) + 1)
  }
  for (const { rows } of read.flatMap(({ files }) => files))
    for (const row of rows.keys()) if (given.has(row)) rows.delete(row)
  const pairs = [...counts]
    .filter(([, count]) => count >= LEAST)
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, MOST_PAIRS)
    .flatMap(([key]) => {
      const [a, b] = [read[Math.floor(key / read.length)], read[key % read.length]]
      if (a === undefined || b === undefined) return []
      const files = alikeFiles(a.files, b.files, owners)
      return files.length === 0 ? [] : [{ students: [a.id, b.id] as const, files }]
    })
  return {
    keys: sharedKeys(students, new Set(shipped.flatMap((text) => keysIn(text).map(({ digest }) => digest)))),
    pairs: pairs.toSorted((a, b) => (b.files[0]?.share ?? 0) - (a.files[0]?.share ?? 0)),
    compared: students.length,
    given: given.size,
  }
}

/** A row that is in several files of a student belongs to the first of them, so that no row is counted twice. */
function readFiles(files: Texts["files"], known: ReadonlySet<number>): Read[] {
  let left = MOST_WORDS
  const earlier = new Set<number>()
  return files.map(({ name, text }) => {
    const words = wordsOf(withoutKeys(text)).slice(0, left)
    left -= words.length
    const rows = new Map([...rowsOf(words)].filter(([row]) => !known.has(row) && !earlier.has(row)))
    for (const row of rows.keys()) earlier.add(row)
    return { name, lines: text.split("\n"), rows }
  })
}

function rowsOf(words: readonly Word[]): Map<number, number> {
  const rows = new Map<number, number>()
  for (let at = 0; at + ROW <= words.length; at++) {
    const row = words.slice(at, at + ROW)
    const number = numberOf(row.map(({ text }) => text).join(" "))
    if (!rows.has(number)) rows.set(number, row[0]?.line ?? 0)
  }
  return rows
}

/** A number of 52 bits for a text: FNV-1a, twice. Numbers need far less memory than the texts. */
function numberOf(text: string): number {
  let [a, b] = [0x811c9dc5, 0x1234567]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ code, 0x5bd1e995) ^ (b >>> 15)
  }
  return (a >>> 0) * 2 ** 20 + ((b >>> 0) & 0xfffff)
}

/** Pairs of files that are alike. @param owners who has each row */
function alikeFiles(
  first: readonly Read[],
  second: readonly Read[],
  owners: ReadonlyMap<number, readonly number[]>,
): AlikeFiles[] {
  const fileOf = new Map(second.flatMap((file) => [...file.rows.keys()].map((row) => [row, file] as const)))
  return first
    .flatMap((a) => {
      const shared = new Map<Read, [row: number, line: number][]>()
      for (const [row, line] of a.rows) {
        const b = fileOf.get(row)
        if (b === undefined) continue
        const rows = shared.get(b)
        if (rows === undefined) shared.set(b, [[row, line]])
        else rows.push([row, line])
      }
      return [...shared].map(([b, rows]) => ({ a, b, rows, share: rows.length / Math.min(a.rows.size, b.rows.size) }))
    })
    .filter(({ rows, share }) => rows.length >= LEAST && share >= LEAST_SHARE)
    .toSorted((one, two) => two.share - one.share)
    .slice(0, MOST_ALIKE)
    .map(({ a, b, rows, share }) => ({ files: [a.name, b.name], share, examples: examplesOf(a, b, rows, owners) }))
}

/** Lines that say most: those that the fewest students have, and of these the ones with the most words in common. */
function examplesOf(
  a: Read,
  b: Read,
  shared: readonly (readonly [row: number, line: number])[],
  owners: ReadonlyMap<number, readonly number[]>,
): SharedLine[] {
  const byText = new Map<string, { readonly line: SharedLine; readonly owners: number; readonly rows: number }>()
  for (const [row, line] of shared) {
    const other = b.rows.get(row) ?? 0
    const texts = [(a.lines[line] ?? "").trim(), (b.lines[other] ?? "").trim()] as const
    if (Math.min(texts[0].length, texts[1].length) < SHORTEST_LINE) continue
    const seen = byText.get(texts[0])
    byText.set(texts[0], {
      line: seen?.line ?? { texts, lines: [line + 1, other + 1] },
      owners: Math.min(seen?.owners ?? Infinity, owners.get(row)?.length ?? 0),
      rows: (seen?.rows ?? 0) + 1,
    })
  }
  return [...byText.values()]
    .toSorted((one, two) => one.owners - two.owners || two.rows - one.rows)
    .slice(0, MOST_EXAMPLES)
    .map(({ line }) => line)
    .toSorted((one, two) => one.lines[0] - two.lines[0])
}

function sharedKeys(students: readonly Texts[], shipped: ReadonlySet<string>): SharedKey[] {
  const found = new Map<string, { key: OwnKey; places: Place[] }>()
  for (const { id, files } of students)
    for (const { name, text } of files)
      for (const key of keysIn(text)) {
        if (shipped.has(key.digest)) continue
        const which = `${key.kind} ${key.digest}`
        const entry = found.get(which) ?? { key, places: [] }
        entry.places.push({ student: id, file: name })
        found.set(which, entry)
      }
  return [...found.values()]
    .filter(({ places }) => new Set(places.map(({ student }) => student)).size > 1)
    .map(({ key, places }) => ({ ...key, places }))
}

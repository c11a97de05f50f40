import { randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"
import { messageOf, UsageError } from "../base/errors.ts"
import { writeWhole } from "../base/write-whole.ts"
import { identify, isAlive } from "../machines/identity.ts"
import { keptSchema, type Row } from "./row.ts"

/** Only the owner reads results: they contain what students' programs printed. */
export const BOOK_MODE = 0o600

/** The file with the grade book as JSON. */
export const BOOK = "book.json"

const runSchema = z.object({
  schema: z.literal("byhand/class-run/v1"),
  run: z.string(),
  hasEnded: z.boolean(),
})

/** The folder in which a class's results are kept, one file for each student. */
export class Store {
  readonly #folder: string
  /** The name of this run: results with it were made by this run, or by its part before an interruption. */
  readonly run: string

  private constructor(folder: string, run: string) {
    this.#folder = folder
    this.run = run
  }

  /**
   * Opens the folder, or creates it.
   * @param isResumed whether the interrupted run is continued
   * @throws UsageError if another process uses the folder, if it cannot be written, or if there is nothing to continue
   */
  static open(folder: string, isResumed: boolean): Store {
    try {
      mkdirSync(join(folder, "students"), { recursive: true, mode: 0o700 })
      chmodSync(join(folder, "students"), 0o700)
    } catch (error) {
      throw new UsageError(`${folder} cannot be written: ${messageOf(error)}.`, "Name another folder with --out.", {
        cause: error,
      })
    }
    const owner = read(join(folder, "owner"))
    if (owner !== undefined && isAlive(owner))
      throw new UsageError(
        `Process ${owner.split(" ")[0] ?? ""} is grading into ${folder}.`,
        "Wait for it, or name another folder with --out.",
      )
    const last = parsed(runSchema, read(join(folder, "run.json")))
    if (isResumed && (last === undefined || last.hasEnded))
      throw new UsageError(
        `There is no interrupted run in ${folder}.`,
        "Leave --resume out: a run grades only what has changed since the last one.",
      )
    const run = isResumed && last !== undefined ? last.run : `${Date.now()}-${randomBytes(3).toString("hex")}`
    writeWhole(join(folder, "owner"), identify(process.pid), BOOK_MODE)
    rmSync(join(folder, "work"), { recursive: true, force: true }) // A killed run has left it.
    const store = new Store(folder, run)
    store.#note(false)
    return store
  }

  /** A folder for copies of the student's scripts. It does not exist yet. */
  workOf(id: string): string {
    return join(this.#folder, "work", id)
  }

  /** What is kept of a student; undefined if there is nothing, or if another version has written it. */
  kept(id: string): Row | undefined {
    return parsed(keptSchema, read(this.#fileOf(id)))
  }

  /** Keeps what became of a student. */
  keep(row: Row): void {
    writeWhole(this.#fileOf(row.id), `${JSON.stringify(row, undefined, 2)}\n`, BOOK_MODE)
  }

  /** Keeps the end of what the grader of a student printed. */
  keepLog(id: string, text: string): void {
    writeWhole(join(this.#folder, "students", `${id}.log`), text, BOOK_MODE)
  }

  /** Keeps the grade book. */
  keepBook(book: unknown): void {
    writeWhole(join(this.#folder, BOOK), `${JSON.stringify(book, undefined, 2)}\n`, BOOK_MODE)
  }

  /** The run has ended, or was interrupted; another process can use the folder. */
  close(hasEnded: boolean): void {
    this.#note(hasEnded)
    rmSync(join(this.#folder, "work"), { recursive: true, force: true })
    rmSync(join(this.#folder, "owner"), { force: true })
  }

  #fileOf(id: string): string {
    return join(this.#folder, "students", `${id}.json`)
  }

  #note(hasEnded: boolean): void {
    const note: z.infer<typeof runSchema> = { schema: "byhand/class-run/v1", run: this.run, hasEnded }
    writeWhole(join(this.#folder, "run.json"), `${JSON.stringify(note)}\n`, BOOK_MODE)
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined // It does not exist yet.
  }
}

function parsed<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  try {
    return text === undefined ? undefined : schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined // A person has edited it.
  }
}

import { readFileSync } from "node:fs"
import type { z } from "zod"
import { messageOf, UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { lessonId, lessons } from "../curriculum/lessons.ts"
import { KEYS } from "./class-schema.ts"

/** Where a value is in a file. */
export type Path = readonly PropertyKey[]

/** A file that the user has written, and where its values are in it. */
export interface Origin {
  readonly file: string
  /** The line of a value, from 1; of a key if `isKey`. */
  readonly lineOf: (path: Path, isKey: boolean) => number
}

/** The text of a file that the user has written. @throws UsageError */
export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}.`, "Name a file that lists the students.", {
      cause: error,
    })
  }
}

/** A value that a schema admits. @throws UsageError for the first thing that it does not admit */
export function checked<T>(schema: z.ZodType<T>, value: unknown, origin: Origin, prefix: Path): T {
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

/** The error for a value of a file, with its line. @param isKey whether its key is wrong, not the value */
export function refusal(
  { file, lineOf }: Origin,
  path: Path,
  isKey: boolean,
  problem: string,
  remedy: string,
): UsageError {
  // In an inventory, the line names the student.
  const [first] = path
  const named = typeof first === "number" ? path.slice(1) : path
  const name = named.length === 0 ? "" : `${pathText(named)} `
  return new UsageError(`${file}, line ${lineOf(path, isKey)}: ${name === "" ? "it " : name}${problem}.`, remedy)
}

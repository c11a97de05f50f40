import { resolve } from "node:path"
import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import type { Settings } from "../base/settings.ts"
import { formats } from "./formats/all.ts"
import type { Format } from "./formats/format.ts"
import { json } from "./formats/json.ts"

/** A format, and where its document is written. */
export interface Target {
  readonly format: Format
  /** The absolute path of the file; undefined for standard output. */
  readonly file: string | undefined
  /** What the user wrote, such as --format junit=junit.xml. */
  readonly given: string
}

/**
 * Reads what the user wrote: NAME=FILE, or NAME or NAME=- for standard output.
 * @param label what stands before it, --format or BYHAND_FORMAT
 * @throws UsageError for an unknown format, for a file that two formats name, and for a second document on standard
 * output
 */
export function targetsOf(
  words: readonly string[],
  label: string,
  environment: NodeJS.ProcessEnv = process.env,
): Target[] {
  const targets = words.map((word) => targetOf(word, label, environment))
  const files = targets.flatMap(({ file }) => file ?? [])
  const twice = files.find((file, at) => files.indexOf(file) !== at)
  if (twice !== undefined)
    throw new UsageError(`${label} names the file ${twice} twice.`, "Give each format a file of its own.")
  const [, second] = targets.filter(({ file }) => file === undefined)
  if (second !== undefined)
    throw new UsageError(
      `${second.given} is the second document for standard output.`,
      `Name a file for it: ${second.format.name}=FILE`,
    )
  return targets
}

function targetOf(word: string, label: string, environment: NodeJS.ProcessEnv): Target {
  const given = `${label} ${word}`
  const [name = ""] = word.split("=", 1)
  const names = formats.map((each) => each.name)
  const format = formats.find((each) => each.name === name)
  if (format === undefined)
    throw new UsageError(
      `There is no format ${name === "" ? "without a name" : name}.`,
      `${didYouMean(name, names)}There are ${names.join(", ")}.`,
    )
  const lacking = format.lacks?.(environment)
  if (lacking !== undefined) throw new UsageError(`${label} ${name} ${lacking}.`, "Set them, or choose another format.")
  const file = word === name ? "-" : word.slice(name.length + 1)
  if (file === "")
    throw new UsageError(`${given} names no file.`, `Write ${name}=FILE, or ${name} for standard output.`)
  return { format, file: file === "-" ? undefined : resolve(file), given }
}

/** Where the documents of a run go, by its settings. @throws UsageError */
export function targetsFor({ format: words, result }: Pick<Settings, "format" | "result">): Target[] {
  return [
    ...targetsOf(words, "BYHAND_FORMAT"),
    ...(result === undefined ? [] : [{ format: json, file: result, given: `BYHAND_RESULT=${result}` }]),
  ]
}

/** Whether standard output has a document and nothing else. */
export function isOutputTaken(targets: readonly Target[]): boolean {
  return targets.some(({ file, format }) => file === undefined && format.isLastOnOutput !== true)
}

/** The formats for a help text: a line for each, with what reads it. */
export function formatHelp(): string {
  const width = Math.max(...formats.map(({ name }) => name.length))
  return formats.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`).join("\n")
}

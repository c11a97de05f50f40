import { absolute, type Started } from "../components/settings/flags.ts"
import { heredocsIn, scriptsOf, SCRIPTS_FOLDER } from "./scripts.ts"
import type { Observation } from "./observation.ts"

/** A line of a learner's file. */
export interface WrittenLine {
  /** The file in the learner's folder, such as 08-pki.sh. */
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly text: string
}

/**
 * The line of a learner's script that wrote a line of a file, in the here-document of a command that names its path.
 * @param line the number of the line in the file, from 1
 * @returns undefined if no script writes that line in this way
 */
export function writerOf(seen: Observation, path: string, line: number): WrittenLine | undefined {
  const written = linesOf(seen, path)[line - 1]?.trim()
  if (written === undefined) return undefined
  for (const { name, text } of scriptsOf(seen)) {
    const lines = text.split("\n")
    const opens = heredocsIn(lines).find(({ begin }) => namesPath(lines[begin] ?? "", path))?.begin
    if (opens === undefined) continue
    const found = lines[opens + line]?.trim()
    // A variable has another text in the file.
    if (found === written || (found?.includes("$") === true && !(lines[opens] ?? "").includes(">>")))
      return { file: name, line: opens + line + 1, text: found }
  }
  return undefined
}

/** The only line of the learner's files that contains a text; undefined if none does, or several do. */
export function onlyLineWith(seen: Observation, text: string): WrittenLine | undefined {
  const files = Object.entries(seen.files).filter(([path]) => path.startsWith(`${SCRIPTS_FOLDER}/`))
  const found = files.flatMap(([path, content]) =>
    content
      .split("\n")
      .map((line, at) => ({ file: path.slice(SCRIPTS_FOLDER.length + 1), line: at + 1, text: line.trim() }))
      .filter((one) => one.text.includes(text) && !one.text.startsWith("#")),
  )
  return found.length === 1 ? found[0] : undefined
}

/**
 * The line of a script, or of another file in the learner's folder, from which a line of a file comes. If none is found,
 * that line itself.
 */
export function originOf(seen: Observation, path: string, line: number): WrittenLine | undefined {
  const text = linesOf(seen, path)[line - 1]?.trim()
  if (text === undefined) return undefined
  return (
    writerOf(seen, path, line) ?? (text === "" ? undefined : onlyLineWith(seen, text)) ?? { file: path, line, text }
  )
}

/** The same for the first line of a file that contains a text; undefined if none does. */
export function originOfText(seen: Observation, path: string, text: string): WrittenLine | undefined {
  const at = linesOf(seen, path).findIndex((line) => line.includes(text))
  return at < 0 ? undefined : originOf(seen, path, at + 1)
}

/** A line as a noun: "line 7 of 01-etcd.sh (exec etcd)". */
export function lineNamed({ file, line, text }: WrittenLine): string {
  return `line ${line} of ${file} (${text})`
}

/** The files that the command line of a component names. */
export function filesOf({ files }: Observation, component: Started): string[] {
  return component.argv
    .flatMap((word) => absolute(component, word.replace(/^--?[\w-]+=/, "")) ?? [])
    .filter((path) => path in files)
}

/**
 * The line that sets a field of which a component complains, in a file that its command line names. Kubernetes writes a
 * field as in the file (maxPods), or as in its own source (KubeProxyConfiguration.MetricsBindAddress).
 */
export function fieldIn(seen: Observation, component: Started, words: string): WrittenLine | undefined {
  const fields = (words.match(/\b[a-zA-Z]+[A-Z]\w*\b/g) ?? []).map(
    (name) => name.charAt(0).toLowerCase() + name.slice(1),
  )
  for (const path of filesOf(seen, component)) {
    const lines = linesOf(seen, path)
    for (const field of fields) {
      const at = lines.findIndex((line) => new RegExp(String.raw`(?:^|[\s{,"])${field}"?\s*:`).test(line))
      if (at >= 0) return originOf(seen, path, at + 1)
    }
  }
  return undefined
}

/** The lines of a file; one empty line if it is not there. */
function linesOf({ files }: Observation, path: string): string[] {
  return (files[path] ?? "").split("\n")
}

/** Whether a line of a script names a path as a whole word. */
function namesPath(line: string, path: string): boolean {
  return line.split(/[\s"'<>]+/).includes(path)
}

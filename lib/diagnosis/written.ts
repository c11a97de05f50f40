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
  const written = (seen.files[path] ?? "").split("\n")[line - 1]?.trim()
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

/** Whether a line of a script names a path as a whole word. */
function namesPath(line: string, path: string): boolean {
  return line.split(/[\s"'<>]+/).includes(path)
}

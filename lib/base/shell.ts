/** Joins words into a command line for a shell. Quotes a word only if the shell needs it. */
export function quote(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ")
}

/** The line of a shell that a command runs: sh -c LINE, or sh -ec LINE. undefined for another command. */
export function lineIn(argv: readonly string[]): { readonly flags: string; readonly text: string } | undefined {
  const [program, flags = "", text] = argv
  if (program !== "sh" || !/^-e?c$/.test(flags) || text === undefined || argv.length !== 3) return undefined
  return { flags, text }
}

/** Splits a command line into words. Handles single and double quotes and backslashes. Expands nothing. */
export function words(line: string): string[] {
  const found = line.match(/(?:'[^']*'|"(?:\\.|[^"])*"|\\.|[^\s'"\\])+/g) ?? []
  return found.map((word) =>
    word.replaceAll(
      /'([^']*)'|"((?:\\.|[^"])*)"|\\(.)/g,
      (_, single?: string, double?: string, escaped?: string) =>
        single ?? double?.replaceAll(/\\(.)/g, "$1") ?? escaped ?? "",
    ),
  )
}

/** One command of a script, with its continued lines. @param line its number, from 1 */
export function commandAt(script: string, line: number): string {
  const lines = script.split("\n").slice(line - 1)
  const end = lines.findIndex((text) => !text.endsWith("\\"))
  return lines.slice(0, end + 1 || lines.length).join("\n")
}

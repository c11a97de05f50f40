/** Words as a person would type them at a shell, quoted only where a shell needs it. */
export function quote(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ")
}

/** Cuts a typed line into its words, with single and double quotes and backslashes, but no expansion of any kind. */
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

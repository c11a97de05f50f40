/** An error that a person can act on: what went wrong, then what to do about it. */
export class RemediedError extends Error {
  readonly remedy: string

  /**
   * @param problem what was wrong and where, as a sentence
   * @param remedy what to do about it, as a sentence
   */
  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem} ${remedy}`, options)
    this.name = new.target.name
    this.remedy = remedy
  }
}

/** Wrong use: a setting, flag or file that a user gave. Exit status 2. One line, whatever it was that was given. */
export class UsageError extends RemediedError {
  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(visible(problem), visible(remedy), options)
  }
}

/** Characters that a terminal would obey instead of showing them, spelled out. */
function visible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`,
  )
}

/** The text of whatever was thrown, without its stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** What an error says, without what to do. */
export function problemOf(thrown: unknown): string {
  const message = messageOf(thrown)
  return thrown instanceof RemediedError ? message.slice(0, message.length - thrown.remedy.length).trim() : message
}

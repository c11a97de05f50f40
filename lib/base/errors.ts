/** An error with a remedy. The message says what is wrong, and then what to do about it. */
export class RemediedError extends Error {
  readonly remedy: string

  /**
   * @param problem what is wrong and where, as a sentence
   * @param remedy what to do about it, as a sentence
   */
  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem} ${remedy}`, options)
    this.name = new.target.name
    this.remedy = remedy
  }
}

/**
 * Wrong use: a setting, flag or file of the user is wrong. Exit status 2. The message is always one line, also if the
 * value contains line breaks.
 */
export class UsageError extends RemediedError {
  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(visible(problem), visible(remedy), options)
  }
}

/** Replaces control characters, which a terminal would act on, by visible text. */
function visible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`,
  )
}

/** The message of a thrown value, without its stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The message of an error without its remedy. */
export function problemOf(thrown: unknown): string {
  const message = messageOf(thrown)
  return thrown instanceof RemediedError ? message.slice(0, message.length - thrown.remedy.length).trim() : message
}

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

/** Wrong use: a setting, flag or file that a user gave. Exit status 2. */
export class UsageError extends RemediedError {}

/** The text of whatever was thrown, without its stack. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

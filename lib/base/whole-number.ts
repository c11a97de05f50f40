import { UsageError } from "./errors.ts"

/**
 * A parser for the value of a flag that must be a whole number.
 * @param flag such as --rounds
 * @throws UsageError if the value is not a whole number from `least` to `most`
 */
export const wholeNumber =
  (flag: string, least = 0, most = 999_999_999) =>
  (given: string): number => {
    const value = /^\d+$/.test(given) ? Number(given) : Number.NaN
    if (value >= least && value <= most) return value
    throw new UsageError(
      `${flag} ${given} is not a whole number from ${least} to ${most}.`,
      `Write, for example: ${flag} ${Math.min(Math.max(2, least), most)}`,
    )
  }

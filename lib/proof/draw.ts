import { createHash } from "node:crypto"

/**
 * Repeatable random numbers. The same seed and question give the same answer; the order of the questions does not
 * matter.
 */
export interface Draw {
  /** From 0 up to, but not including, 1. */
  (question: string): number
  of<T>(question: string, choices: readonly T[]): T
}

export function drawFrom(seed: number | string): Draw {
  const draw = (question: string) =>
    createHash("sha256").update(`${seed} ${question}`).digest().readUInt32BE() / 2 ** 32
  return Object.assign(draw, {
    of: <T>(question: string, choices: readonly T[]): T => {
      const choice = choices[Math.floor(draw(question) * choices.length)]
      if (choice === undefined) throw new RangeError(`The list of choices for ${question} is empty.`)
      return choice
    },
  })
}

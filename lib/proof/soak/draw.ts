import { createHash } from "node:crypto"

/** Chance that can be repeated: the same seed and question give the same answer, in whatever order they are asked. */
export interface Draw {
  /** From 0 up to, but not including, 1. */
  (question: string): number
  of<T>(question: string, choices: readonly T[]): T
}

export function drawFrom(seed: number): Draw {
  const draw = (question: string) =>
    createHash("sha256").update(`${seed} ${question}`).digest().readUInt32BE() / 2 ** 32
  return Object.assign(draw, {
    of: <T>(question: string, choices: readonly T[]): T => {
      const choice = choices[Math.floor(draw(question) * choices.length)]
      if (choice === undefined) throw new RangeError(`There is nothing to choose from for ${question}.`)
      return choice
    },
  })
}

/** The longest pause (milliseconds). An attempt that hangs says nothing about the next one. */
const LONGEST = 500

/**
 * The pauses between attempts. Each takes as long as the attempt before it, so that attempts leave half of the time to
 * what they wait for: one kubectl needs as much of a processor as a component that starts.
 */
export class Pace {
  readonly #shortest: number
  #began = performance.now()

  /** @param shortest the shortest pause in milliseconds; the first attempt begins now */
  constructor(shortest: number) {
    this.#shortest = shortest
  }

  /** Pauses after an attempt. When it resolves, the next attempt begins. @param end ends the pause early */
  async pause(end?: Promise<unknown>): Promise<void> {
    const took = performance.now() - this.#began
    const pause = Math.min(Math.max(this.#shortest, took), LONGEST)
    const over = new Promise((resolve) => setTimeout(resolve, pause))
    await (end === undefined ? over : Promise.race([over, end]))
    this.#began = performance.now()
  }
}

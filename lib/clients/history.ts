/** One operation of a client of etcd, for porcupine. The fields have the names that its program reads. */
export interface Operation {
  /** The number of the client, from 0. */
  readonly client: number
  /** The member that was asked. */
  readonly member: string
  readonly op: "put" | "get"
  readonly key: string
  /** The value that was written, or read; undefined if a read found no key. Each write has a value of its own. */
  readonly value: string | undefined
  /** The revision of the store that a write made; undefined for a read, and for a write without an answer. */
  readonly revision: number | undefined
  /** Nanoseconds of the clock that all clients of a history share. */
  readonly start: number
  readonly end: number
  /** failed: it has not taken effect. unknown: it may have taken effect, and may still do so. */
  readonly outcome: "ok" | "failed" | "unknown"
  /** What etcd or the network said; undefined if the outcome is ok. */
  readonly error?: string
}

/** The writes that etcd has acknowledged. */
export function acknowledged(history: readonly Operation[]): readonly Operation[] {
  return history.filter(({ op, outcome }) => op === "put" && outcome === "ok")
}

/** The number of acknowledged writes between two times of the history's clock. */
export function writesWithin(history: readonly Operation[], from: number, to: number): number {
  return acknowledged(history).filter(({ end }) => from <= end && end <= to).length
}

/**
 * The longest time without an acknowledged write, between two times of the history's clock.
 * @returns milliseconds
 */
export function longestGap(history: readonly Operation[], from: number, to: number): number {
  const ends = acknowledged(history)
    .map(({ end }) => end)
    .filter((end) => from <= end && end <= to)
    .toSorted((a, b) => a - b)
  const gaps = [...ends, to].map((end, at) => end - (ends[at - 1] ?? from))
  return Math.round(Math.max(...gaps) / 1e6)
}

/** The history as lines of JSON. */
export function linesOf(history: readonly Operation[]): string {
  return history.map((operation) => `${JSON.stringify(operation)}\n`).join("")
}

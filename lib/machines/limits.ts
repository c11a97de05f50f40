/** How much of the host a machine may use; what is not given has no limit. */
export interface Limits {
  /** Bytes. A process that takes more is killed. Needs root. */
  readonly memory?: number
  /** Processes and threads. Needs root. */
  readonly processes?: number
  /** Bytes that it may write, which are kept in memory and count as such. Needs root. */
  readonly disk?: number
  /** Until all of it is killed. */
  readonly seconds?: number
}

const GIB = 2 ** 30

/** For the project's own components, which need a quarter of it: what runs away leaves the host usable. */
export const ORDINARY_LIMITS: Limits = { memory: 4 * GIB, processes: 8192 }

/** For a learner's own scripts. */
export const LIMITS_OF_SCRIPTS = { memory: 4 * GIB, processes: 4096, disk: 2 * GIB } as const satisfies Limits

/** Why a machine has ended, once its time is over. @param seconds from now */
export function overAfter(seconds: number | undefined): () => string | undefined {
  const deadline = seconds === undefined ? Infinity : performance.now() + seconds * 1000
  return () => (performance.now() < deadline ? undefined : `its ${seconds} seconds were over`)
}

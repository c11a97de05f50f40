/** How much of the host's resources a machine may use. An undefined limit means no limit. */
export interface Limits {
  /** Bytes of memory. If the machine uses more, the kernel kills a process. Needs root. */
  readonly memory?: number
  /** Number of processes and threads. Needs root. */
  readonly processes?: number
  /** Bytes that the machine may write. They are kept in memory and count as memory. Needs root. */
  readonly disk?: number
  /** Seconds after which everything in the machine is killed. */
  readonly seconds?: number
}

const GIB = 2 ** 30

/**
 * Limits for the project's own components. They need a quarter of this. A process that uses far too much cannot make
 * the host unusable.
 */
export const ORDINARY_LIMITS: Limits = { memory: 4 * GIB, processes: 8192 }

/** Limits for a learner's scripts. */
export const LIMITS_OF_SCRIPTS = { memory: 4 * GIB, processes: 4096, disk: 2 * GIB } as const satisfies Limits

/**
 * Returns a function that gives the reason for the machine's end when its time limit is over.
 * @param seconds from now on; undefined for no limit
 */
export function overAfter(seconds: number | undefined): () => string | undefined {
  const deadline = seconds === undefined ? Infinity : performance.now() + seconds * 1000
  return () => (performance.now() < deadline ? undefined : `its time limit of ${seconds} seconds was over`)
}

/** How much of the host a machine may use. A limit that is not given does not exist. */
export interface Limits {
  /** Bytes of memory. The kernel kills a process that takes more. Needs root. */
  readonly memory?: number
  /** Number of processes and threads. Needs root. */
  readonly processes?: number
  /** Bytes that the machine may write. They are kept in memory and count as memory. Needs root. */
  readonly disk?: number
  /** Seconds after which everything in the machine is killed. */
  readonly seconds?: number
}

const GIB = 2 ** 30

/** For the project's own components. They need a quarter of it; a process that uses far too much leaves the host usable. */
export const ORDINARY_LIMITS: Limits = { memory: 4 * GIB, processes: 8192 }

/** For a learner's own scripts. */
export const LIMITS_OF_SCRIPTS = { memory: 4 * GIB, processes: 4096, disk: 2 * GIB } as const satisfies Limits

/** Returns a function that says why the machine has ended, once its time is over. @param seconds from now on; no limit where undefined */
export function overAfter(seconds: number | undefined): () => string | undefined {
  const deadline = seconds === undefined ? Infinity : performance.now() + seconds * 1000
  return () => (performance.now() < deadline ? undefined : `its time limit of ${seconds} seconds was over`)
}

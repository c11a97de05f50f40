/** Reports how much of a task is done. `total` is 0 where it is not known. */
export type Report = (done: number, total: number, unit: "bytes" | "packages" | "modules") => void

/** Shows what takes time. */
export interface Progress {
  /** Runs the work. Shows its title and its progress once it takes longer than two seconds. */
  task<T>(title: string, work: (report: Report) => Promise<T>): Promise<T>
  /** Prints a sentence at once. */
  note(sentence: string): void
}

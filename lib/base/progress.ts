/** Reports how much of a task is done. `total` is 0 if it is not known. */
export type Report = (done: number, total: number, unit: "bytes" | "packages" | "modules") => void

/** Shows tasks that take time. */
export interface Progress {
  /** Runs the work. After two seconds, shows its title and its progress. */
  task<T>(title: string, work: (report: Report) => Promise<T>): Promise<T>
  /** Prints a sentence at once. */
  note(sentence: string): void
}

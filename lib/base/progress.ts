/** How far a piece of work has come: done of total, in a unit; total 0 where it is not known. */
export type Report = (done: number, total: number, unit: "bytes" | "packages" | "modules") => void

/** Shows a person what takes time. */
export interface Progress {
  /** Runs the work and shows its title and how far it has come while it takes longer than two seconds. */
  task<T>(title: string, work: (report: Report) => Promise<T>): Promise<T>
  /** Says a sentence that a person has to know at once. */
  note(sentence: string): void
}

import type { Progress } from "./progress.ts"

/** Progress that shows nothing. */
export const silentProgress: Progress = {
  task: (_, work) => work(() => undefined),
  note: () => undefined,
}

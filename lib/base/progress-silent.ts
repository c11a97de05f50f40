import type { Progress } from "./progress.ts"

/** Shows nothing. */
export const silentProgress: Progress = {
  task: (_, work) => work(() => undefined),
  note: () => undefined,
}

import type { Progress, Report } from "./progress.ts"

/** Milliseconds between two lines. */
const PACE = 15_000

/**
 * Shows tasks that run beside something else, which writes to the same terminal: one line each 15 seconds, for the task
 * that was started last. Nothing is printed for tasks that take less.
 * @param title what the tasks are for, as the beginning of each line
 * @param write prints a line
 */
export function backgroundProgress(
  title: string,
  write: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
): Progress {
  const running = new Set<{ readonly title: string; readonly start: number; state: string }>()
  let timer: NodeJS.Timeout | undefined
  const show = () => {
    const last = [...running].at(-1)
    if (last !== undefined)
      write(`${title}: ${last.title}${last.state}, ${((performance.now() - last.start) / 1000).toFixed(0)} s`)
  }
  return {
    async task(name, work) {
      const task = { title: name, start: performance.now(), state: "" }
      running.add(task)
      timer ??= setInterval(show, PACE).unref()
      const report: Report = (done, total, unit) => {
        if (unit !== "bytes") task.state = `: ${done}${total === 0 ? "" : ` of ${total}`} ${unit}`
        else task.state = `: ${megabytes(done)}${total === 0 ? "" : ` of ${megabytes(total)}`} MB`
      }
      try {
        return await work(report)
      } finally {
        running.delete(task)
        if (running.size === 0) {
          clearInterval(timer)
          timer = undefined
        }
      }
    },
    note: write,
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

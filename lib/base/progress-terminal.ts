import { clearScreenDown, cursorTo, moveCursor } from "node:readline"
import type { WriteStream } from "node:tty"
import { columnsOf } from "./columns.ts"
import type { Progress, Report } from "./progress.ts"

/** Milliseconds after which a task is shown, and milliseconds between two updates of its line. */
const patience = 2_000
const pace = 100

interface Line {
  readonly title: string
  readonly start: number
  readonly come: { done: number; total: number; unit: Parameters<Report>[2] }
}

/** The output for progress: a terminal, or any other text stream. */
export type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>

/** Whether lines of an output can be updated. The log of a pipeline keeps every update. */
export function isLive({ isTTY }: Pick<Output, "isTTY">): boolean {
  return isTTY === true && process.env["CI"] === undefined
}

/**
 * Shows tasks that take longer than two seconds. On a terminal each has a line that is updated. Elsewhere it prints one
 * line after two seconds and one line when the task is done.
 */
export function terminalProgress(output: Output = process.stderr, live = isLive(output)): Progress {
  const slow = new Set<Line>()
  let drawn = 0

  const erase = () => {
    if (drawn > 0) {
      moveCursor(output, 0, -drawn)
      cursorTo(output, 0)
      clearScreenDown(output)
    }
    drawn = 0
  }
  const draw = () => {
    if (!live) return
    erase()
    for (const line of slow) output.write(`${describe(line).slice(0, columnsOf(output) - 1)}\n`)
    drawn = slow.size
  }
  const say = (text: string) => {
    erase()
    output.write(`${text}\n`)
    draw()
  }

  return {
    async task(title, work) {
      const line: Line = { title, start: performance.now(), come: { done: 0, total: 0, unit: "packages" } }
      let drawing: NodeJS.Timeout | undefined
      const waiting = setTimeout(() => {
        slow.add(line)
        if (live) drawing = setInterval(draw, pace)
        else say(`${title} …`)
      }, patience)
      let outcome = "failed after"
      try {
        const result = await work((done, total, unit) => {
          Object.assign(line.come, { done, total, unit })
        })
        outcome = "done in"
        return result
      } finally {
        clearTimeout(waiting)
        clearInterval(drawing)
        if (slow.delete(line)) say(`${title}: ${outcome} ${seconds(line)}`)
      }
    },
    note: say,
  }
}

function describe(line: Line): string {
  const { done, total, unit } = line.come
  const [shownDone, shownTotal, shownUnit] =
    unit === "bytes" ? [megabytes(done), megabytes(total), "MB"] : [done, total, unit]
  const come = done === 0 && total === 0 ? "" : ` ${shownDone}${total === 0 ? "" : ` of ${shownTotal}`} ${shownUnit},`
  return `${line.title}:${come} ${seconds(line)}`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}

function seconds({ start }: Line): string {
  return `${((performance.now() - start) / 1000).toFixed(0)} s`
}

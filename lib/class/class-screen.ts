import { paint } from "../base/colour.ts"
import { fit } from "../report/fit.ts"
import type { Screen } from "../report/terminal.ts"
import { gradeText, lineOf, remarkOf } from "./book.ts"
import type { Class } from "./class-file.ts"
import type { Position } from "./grader.ts"
import type { ClassEvent } from "./run.ts"

/** A student who is being graded. */
interface Running {
  readonly since: number
  readonly position: Position | undefined
}

/** The longest name that is shown in full. */
const LONGEST = 24
/** Milliseconds between two updates of the durations. */
const PACE = 1_000

/** Shows how the grading of a class proceeds. */
export interface ClassScreen extends Disposable {
  readonly tell: (event: ClassEvent) => void
}

/**
 * On a terminal: a row for each student who is being graded, which is updated, and a row for each who has finished.
 * Elsewhere only the latter.
 * @param isLive whether rows are updated
 */
export function classScreen(
  graded: Pick<Class, "students" | "rules">,
  screen: Screen,
  isLive: boolean,
  now: () => number = Date.now,
): ClassScreen {
  const names = Math.min(LONGEST, Math.max(0, ...graded.students.map(({ id }) => id.length)))
  const running = new Map<string, Running>()
  let [finished, drawn] = [0, 0]
  const hosts = new Set(graded.students.flatMap(({ id, source }) => (source.kind === "host" ? [id] : [])))
  const nameOf = (id: string) => fit(id, names).padEnd(names)

  const erase = () => {
    if (drawn > 0) screen.write(`\u001b[${drawn}A\r\u001b[J`)
    drawn = 0
  }
  const draw = () => {
    if (!isLive) return
    const rows = [...running].map(([id, { since, position }]) => {
      const seconds = `${Math.floor((now() - since) / 1000)} s`.padStart(6)
      return `… ${nameOf(id)} ${seconds}  ${positionText(position, hosts.has(id))}`
    })
    const waiting = graded.students.length - finished - running.size
    const lines = [...rows, `  ${finished} of ${graded.students.length} finished, ${waiting} waiting`]
    // A line that is wider than the terminal would take two rows, and only one would be erased.
    screen.write(lines.map((line) => `${fit(line, screen.width - 1)}\n`).join(""))
    drawn = lines.length
  }
  const timer = isLive
    ? setInterval(() => {
        erase()
        draw()
      }, PACE)
    : undefined
  timer?.unref()

  return {
    tell(event) {
      erase()
      if (event.type === "subject started") running.set(event.id, { since: now(), position: undefined })
      if (event.type === "subject moved") {
        const { since = now() } = running.get(event.id) ?? {}
        running.set(event.id, { since, position: event.position })
      }
      if (event.type === "subject ended") {
        running.delete(event.student.id)
        finished++
        const line = lineOf(graded, event.student, event.row)
        const isWhole = line.mark?.grade === 100
        const mark = line.mark === undefined ? "?" : isWhole ? "✓" : "×"
        const remarks = [event.isKept ? "unchanged" : "", remarkOf(line)].filter((part) => part !== "")
        const text = `${nameOf(event.student.id)} ${gradeText(line).padStart(7)}  ${remarks.join("; ")}`
        const colour = line.mark === undefined ? "yellow" : isWhole ? "green" : "red"
        screen.write(`${paint(colour, mark, screen)} ${fit(text.trimEnd(), screen.width - 3)}\n`)
      }
      if (running.size > 0 || finished < graded.students.length) draw()
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      erase()
    },
  }
}

function positionText(position: Position | undefined, isHost: boolean): string {
  if (position === undefined || position.outcome === "")
    return isHost ? "its host is reached" : "its machine is prepared"
  const { outcome, passed, failed } = position
  return `${passed} passed, ${failed} failed; ${outcome}`
}

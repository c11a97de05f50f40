import { assertNever } from "../base/assert-never.ts"
import { paint } from "../base/colour.ts"
import { cardLines } from "./card.ts"
import type { OutcomeName, Reader } from "./events.ts"
import { fit } from "./fit.ts"
import { lessonTable } from "./lesson-table.ts"
import { closingLine, type LessonResult, type OutcomeResult, type RunResult } from "./result.ts"

/** What the terminal reader writes to. */
export interface Screen {
  readonly write: (text: string) => void
  /** The number of columns that a line may have. */
  readonly width: number
  /**
   * Whether it is a terminal. On a terminal, colours are used, and the outcome that is being checked has a line that
   * its result replaces.
   */
  readonly isTTY: boolean
}

/** The width of output that is not a terminal, such as a file or a CI log. */
const DEFAULT_WIDTH = 100

/** Standard output as a screen. */
export function standardOutput(): Screen {
  const { stdout } = process
  return {
    write: (text) => stdout.write(text),
    get width() {
      return stdout.columns ?? DEFAULT_WIDTH
    },
    isTTY: stdout.isTTY,
  }
}

/** Milliseconds after which a passed test's duration is yellow. */
const SLOW = 300

/**
 * For people: a line for each outcome when it ends, then a card for each failure and a table of the lessons. The
 * last line has only the counts, which grading pipelines read.
 * @param see whether the command that shows an outcome is printed below each outcome that passes
 */
export function terminal(screen: Screen, see: boolean): Reader {
  let isTransient = false
  const write = (text: string) => {
    if (isTransient) screen.write("\r\u001b[K") // Erases the line of the outcome that was being checked.
    isTransient = false
    screen.write(text)
  }
  const print = (lines: readonly string[]) => {
    write(lines.map((line) => `${line}\n`).join(""))
  }
  let startedAt = 0
  return (event) => {
    switch (event.type) {
      case "run started":
        startedAt = event.at
        print(["", ` ${paint("cyan", "RUN", screen)}  v${event.runner} ${event.folder}`, ""])
        return
      case "outcome started":
        if (!screen.isTTY) return
        write(fit(`   ${event.lesson} ${event.title} …`, screen.width - 1))
        isTransient = true
        return
      case "outcome ended":
        print(outcomeLines(event, event.result, screen, see))
        return
      case "output":
        write(event.text)
        return
      case "run ended":
        print([...failureLines(event.result, screen), ...durationLines(event.result, startedAt)])
        print(["", ...lessonTable(event.result, screen), "", closingLine(event.result)])
        return
      case "waiting for changes":
        print(["", " Waiting for changes of files: press h for help, q to quit."])
        return
      case "lesson started":
      case "component started":
      case "component ready":
      case "component exited":
      case "evidence":
        return
      default:
        return assertNever(event)
    }
  }
}

function outcomeLines(
  { lesson, title }: OutcomeName,
  { verdict, reason, milliseconds, see }: OutcomeResult,
  screen: Screen,
  withSee: boolean,
): string[] {
  const name = `${lesson} ${title}`
  const duration = ` ${paint(milliseconds > SLOW ? "yellow" : "green", String(milliseconds), screen)}${paint("dim", "ms", screen)}`
  switch (verdict) {
    case "passed":
      return [
        ` ${paint("green", "✓", screen)} ${name}${duration}`,
        ...(withSee && see !== null ? [`     $ ${see}`] : []),
      ]
    case "failed":
      return [
        ` ${paint("red", "×", screen)} ${name}${duration}`,
        paint("red", fit(`   → ${reason ?? ""}`, screen.width), screen),
      ]
    case "cannot check here":
    case "not chosen":
      return [
        ` ${paint("gray", "↓", screen)} ${name}`,
        ...(reason === null ? [] : [paint("gray", fit(`   → ${reason}`, screen.width), screen)]),
      ]
    case "blocked":
      return [] // The table shows it once for the lesson.
    default:
      return assertNever(verdict)
  }
}

/** A card for each failure. A failure without one, and an error outside of the tests, is printed as it was thrown. */
function failureLines({ lessons, faults }: RunResult, screen: Screen): string[] {
  return [
    ...lessons.flatMap((lesson) => lesson.tests.flatMap((test) => failureOf(lesson, test, screen))),
    ...faults.flatMap(({ file, message, stack }) => [
      "",
      ` ${paint("red", "FAIL", screen)}  ${file ?? "outside of the tests"}`,
      ...(stack === null ? message : stack.includes(message) ? stack : `${message}\n${stack}`).split("\n"),
    ]),
  ]
}

function failureOf(
  { id }: LessonResult,
  { title, card, see, verdict, message }: OutcomeResult,
  screen: Screen,
): string[] {
  if (card !== null) return ["", ` ✗ ${id} ${title}`, ...cardLines(card, id, see ?? undefined)]
  if (verdict !== "failed") return []
  return ["", ` ${paint("red", "FAIL", screen)}  ${id} ${title}`, ...(message ?? "").split("\n")]
}

function durationLines({ milliseconds }: RunResult, startedAt: number): string[] {
  const time = new Date(startedAt).toTimeString().slice(0, 8)
  return ["", `   Start at  ${time}`, `   Duration  ${(milliseconds / 1000).toFixed(1)} s`]
}

import { assertNever } from "../base/assert-never.ts"
import { paint } from "../base/colour.ts"
import { columnsOf } from "../base/columns.ts"
import { cardLines } from "./card.ts"
import type { WaitEvent } from "../failures/wait.ts"
import type { OutcomeName, Reader } from "./events.ts"
import { fit } from "./fit.ts"
import { lessonTable } from "./lesson-table.ts"
import { oursIn, withOurs } from "./stand-ins.ts"
import { closingLine, type OutcomeResult, type RunResult } from "./result.ts"

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

/** Standard output as a screen. */
export function standardOutput(): Screen {
  const { stdout } = process
  return {
    write: (text) => stdout.write(text),
    get width() {
      return columnsOf(stdout)
    },
    isTTY: stdout.isTTY,
  }
}

/** Milliseconds between two lines about the same wait, where the output is not a terminal. */
const WAITING_EVERY = 30_000

/** Milliseconds after which a passed test's duration is yellow. */
const SLOW = 300

/**
 * For people: a line for each outcome when it ends, with a card if it failed, and a table of the lessons at the end.
 * The last line has only the counts, which grading pipelines read.
 * @param see whether the command that shows an outcome is printed below each outcome that passes
 */
export function terminal(screen: Screen, see: boolean): Reader {
  let isTransient = false
  const write = (text: string) => {
    if (isTransient) screen.write("\r\u001b[K") // Erases the line of the outcome that was being checked.
    isTransient = false
    screen.write(text)
  }
  let isBlank = false
  const print = (lines: readonly string[]) => {
    // Two empty lines in a row would waste a line of the screen.
    const [first] = lines
    const shown = isBlank && first === "" ? lines.slice(1) : lines
    write(shown.map((line) => `${line}\n`).join(""))
    isBlank = shown.at(-1) === "" || (shown.length === 0 && isBlank)
  }
  const transient = (line: string) => {
    write(fit(line, screen.width - 1))
    isTransient = true
  }
  const reported = new Map<string, number>()
  return (event) => {
    switch (event.type) {
      case "run started":
        print(["", ` ${paint("cyan", "RUN", screen)}  v${event.runner} ${event.folder}`, ""])
        return
      case "outcome started":
        reported.clear()
        if (screen.isTTY) transient(`   ${event.lesson} ${event.title} …`)
        return
      case "waiting":
        if (screen.isTTY) transient(waitingLine(event, screen))
        else if (event.milliseconds - (reported.get(event.awaited) ?? 0) >= WAITING_EVERY) {
          reported.set(event.awaited, event.milliseconds)
          print([waitingLine(event, screen)])
        }
        return
      case "outcome ended":
        print(outcomeLines(event, event.result, screen, see))
        return
      case "output":
        write(event.text)
        return
      case "run ended":
        print([...faultLines(event.result, screen), "", ...lessonTable(event.result, screen), ""])
        print(standInLines(event.result, screen))
        print([`Duration ${(event.result.milliseconds / 1000).toFixed(1)} s`, "", closingLine(event.result)])
        return
      case "waiting for changes":
        print(["", " Waiting for changes of files: press h for help, q to quit."])
        return
      case "component replaced":
        print([warning(`${withOurs([event.component])} in place of yours: ${event.reason}`, screen)])
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

/** Why the exit status is 1 although every outcome may have passed. */
function standInLines({ standIns }: RunResult, screen: Screen): string[] {
  const names = standIns.map(({ component }) => component)
  return names.length === 0
    ? []
    : [warning(`${oursIn(names)} ran in place of yours, so this run does not pass`, screen)]
}

function warning(text: string, { width, isTTY }: Screen): string {
  return paint("yellow", fit(` ! ${text}`, width), { isTTY })
}

/** What is awaited, how long already, and the last answer. */
function waitingLine({ awaited, milliseconds, answer }: WaitEvent, { width }: Screen): string {
  const line = `   ${(milliseconds / 1000).toFixed(0)} s … ${fit(awaited, Math.floor(width / 2))}`
  return fit(answer === "" ? line : `${line}: ${answer}`, width)
}

function outcomeLines(
  { lesson, title }: OutcomeName,
  { verdict, reason, milliseconds, see, card, message, standIns }: OutcomeResult,
  screen: Screen,
  withSee: boolean,
): string[] {
  const name = `${lesson} ${title}`
  const duration = ` ${paint(milliseconds > SLOW ? "yellow" : "green", String(milliseconds), screen)}${paint("dim", "ms", screen)}`
  const ours = withOurs(standIns.map(({ component }) => component))
  const mark = ours === "" ? "" : ` ${paint("yellow", ours, screen)}`
  switch (verdict) {
    case "passed":
      return [
        ` ${paint("green", "✓", screen)} ${name}${duration}${mark}`,
        ...(withSee && see !== null ? [`     $ ${see}`] : []),
      ]
    case "failed":
      return [
        ` ${paint("red", "×", screen)} ${name}${duration}${mark}`,
        ...(card === null ? (message ?? "").split("\n") : cardLines(card, lesson, see ?? undefined, screen.width)),
        "",
      ]
    case "blocked":
      // The lesson that blocks it does not run, so this outcome tells why.
      return card === null
        ? []
        : [
            ` ${paint("red", "×", screen)} ${name}: ${reason ?? verdict}`,
            ...cardLines(card, lesson, undefined, screen.width),
            "",
          ]
    case "cannot check here":
    case "not started":
    case "not chosen":
      return [] // The table shows it once for the lesson.
    default:
      return assertNever(verdict)
  }
}

/** Errors outside of the tests, as they were thrown. */
function faultLines({ faults }: RunResult, screen: Screen): string[] {
  return faults.flatMap(({ file, message, stack }) => [
    "",
    ` ${paint("red", "FAIL", screen)}  ${file ?? "outside of the tests"}`,
    ...(stack === null ? message : stack.includes(message) ? stack : `${message}\n${stack}`).split("\n"),
  ])
}

import { paint } from "../base/colour.ts"
import { reasonOf } from "../report/failure-text.ts"
import { fit, wrapped } from "../report/fit.ts"
import type { Screen } from "../report/terminal.ts"
import type { Line } from "./book.ts"
import { timeText } from "./marks.ts"
import { plain } from "./plain.ts"
import { causeOf, mistakesIn, storedIn, type FailedOutcome } from "./stuck.ts"

/** Students who are stuck for the same reason, in the same words. */
interface Cause {
  /** Two digits. */
  readonly lesson: string
  /** What is wrong, in one line. */
  readonly cause: string
  /** Who, and since when in milliseconds since the epoch; the longest first. */
  readonly students: readonly { readonly id: string; readonly since: number }[]
}

/** Students who are stuck on the same finding. Its words differ where names, flags or addresses differ. */
interface Finding {
  /** undefined for failures without a known cause. */
  readonly finding: string | undefined
  readonly students: number
  readonly causes: readonly Cause[]
}

/** A mistake, and how many students make it. */
interface Mistake {
  /** undefined if no known cause matches: then it is an outcome that fails. */
  readonly finding: string | undefined
  /** How many students make it; each counts once. */
  readonly students: number
  /** What is wrong, in one line. */
  readonly cause: string
  /** How many other students' words differ. */
  readonly others: number
}

/** Who in a class needs help with what. */
export interface Board {
  /** By cause, that of most students first. A student is here once, at the first mistake. */
  readonly stuck: readonly Finding[]
  /** The most frequent mistakes of all students, not only their first ones. */
  readonly mistakes: readonly Mistake[]
}

/** The largest number of mistakes that are listed. */
const MOST = 10
/** What names failures without a known cause. */
export const UNKNOWN = "no known cause"
/** The largest number of lines for a cause in the terminal. */
const LONGEST = 2
/** The most columns for the name of a finding in the list of mistakes. */
const NAME = 28

interface Seen extends FailedOutcome {
  readonly student: string
}

/** The board of a grade book. It is empty if no student is stuck. */
export function boardOf(lines: readonly Line[]): Board {
  const found = lines.flatMap(({ student, row }) =>
    row.outcome.kind === "graded"
      ? [
          {
            row,
            mistakes: mistakesIn(row.outcome.result).map((mistake): Seen => ({ ...mistake, student: student.id })),
          },
        ]
      : [],
  )
  const first = found.flatMap(({ row, mistakes }) =>
    mistakes.slice(0, 1).map((seen) => ({ ...seen, since: storedIn(row)?.since ?? row.at })),
  )
  const stuck = groupsOf(first, ({ test }) => test.finding ?? UNKNOWN).map((group): Finding => ({
    finding: group[0].test.finding ?? undefined,
    students: group.length,
    causes: groupsOf(group, (seen) => `${seen.lesson} ${causeText(seen)}`).map((same): Cause => ({
      lesson: same[0].lesson,
      cause: causeText(same[0]),
      students: same.map(({ student, since }) => ({ id: student, since })).toSorted((a, b) => a.since - b.since),
    })),
  }))
  // A student can make the same mistake at several outcomes, and it counts once.
  const all = found.flatMap(({ mistakes }) => [
    ...new Map(mistakes.toReversed().map((seen) => [causeOf(seen.test), seen])).values(),
  ])
  const mistakes = groupsOf(all, ({ test }) => causeOf(test)).map((group): Mistake => {
    const [most] = groupsOf(group, causeText)
    return {
      finding: group[0].test.finding ?? undefined,
      students: group.length,
      cause: causeText(most?.[0] ?? group[0]),
      others: group.length - (most?.length ?? 0),
    }
  })
  return { stuck, mistakes: mistakes.slice(0, MOST) }
}

/** Groups of values with the same key: the largest first, and of two that are equal the one that comes first. */
function groupsOf<T>(values: readonly T[], keyOf: (value: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group === undefined) groups.set(keyOf(value), [value])
    else group.push(value)
  }
  return [...groups.values()].toSorted((a, b) => b.length - a.length)
}

/** What is wrong, in one line. A failure without a known cause needs the name of the outcome. */
function causeText({ test }: FailedOutcome): string {
  const words = plain(reasonOf(test))
  return test.finding === null ? `${test.title}: ${words}` : words
}

/** A mistake in one line. The words of one student are an example if those of others differ. */
export function mistakeText({ cause, others }: Mistake): string {
  return others === 0 ? cause : `for example: ${cause}`
}

/** When something was first seen, in UTC. */
export function sinceText(since: number): string {
  return timeText(since).replace(/ UTC$/, "")
}

/** "1 student", "2 students". */
export function studentsText(count: number): string {
  return `${count} ${count === 1 ? "student" : "students"}`
}

/** The board for a terminal, with an empty line before each part; no lines if no student is stuck. */
export function boardLines({ stuck, mistakes }: Board, of: number, screen: Pick<Screen, "width" | "isTTY">): string[] {
  if (stuck.length === 0) return []
  const { width } = screen
  const count = stuck.reduce((sum, { students }) => sum + students, 0)
  const numbers = String(Math.max(...mistakes.map(({ students }) => students))).length
  const names = Math.min(NAME, Math.max(...mistakes.map(({ finding }) => (finding ?? UNKNOWN).length)))
  return [
    "",
    paint("bold", fit(`Stuck, by cause: ${count} of ${studentsText(of)}; times in UTC`, width), screen),
    ...stuck.flatMap(({ finding, students, causes }) => [
      `${paint("red", fit(finding ?? UNKNOWN, width - 14), screen)}: ${studentsText(students)}`,
      ...causes.flatMap(({ lesson, cause, students: who }) => [
        ...indented(cause, `  ${lesson}  `, width, LONGEST),
        // A name must not be torn from its time.
        ...indented(
          who.map(({ id, since }) => `${id} since ${sinceText(since)}`.replaceAll(" ", "\u00a0")).join(", "),
          " ".repeat(6),
          width,
        ).map((line) => line.replaceAll("\u00a0", " ")),
      ]),
    ]),
    "",
    paint("bold", fit(`Most frequent mistakes, with the number of students who make them`, width), screen),
    ...mistakes.map((mistake) => {
      const name = fit(mistake.finding ?? UNKNOWN, names)
      const before = `${String(mistake.students).padStart(numbers + 2)}  ${name.padEnd(names)}  `
      return `${before}${fit(mistakeText(mistake), width - before.length)}`
    }),
  ]
}

/** A text in lines that begin below its first word. @param most the largest number of lines; the last one is cut */
export function indented(text: string, before: string, width: number, most = Infinity): string[] {
  const lines = wrapped(text, Math.max(1, width - before.length), most)
  return lines.map((line, at) => `${at === 0 ? before : " ".repeat(before.length)}${line}`)
}

/** The board as JSON. */
export function boardData({ stuck, mistakes }: Board): object {
  return {
    stuck: stuck.flatMap(({ finding, causes }) =>
      causes.map(({ lesson, cause, students }) => ({
        finding: finding ?? null,
        lesson,
        cause,
        students: students.map(({ id, since }) => ({ id, since: new Date(since).toISOString() })),
      })),
    ),
    mistakes: mistakes.map(({ finding, students, cause, others }) => ({
      finding: finding ?? null,
      students,
      cause,
      otherWords: others,
    })),
  }
}

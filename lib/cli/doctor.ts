import { EOL } from "node:os"
import { examine, type Examined } from "../doctor/doctor.ts"
import { settingsOf, type CommonOptions, type Outcome } from "./options.ts"
import { table } from "./table.ts"

const COLOURS: Record<Examined["verdict"], string> = { ok: "\x1b[32m", limited: "\x1b[33m", missing: "\x1b[31m", unknown: "\x1b[2m" }

/** What this host can run, check by check, and why. */
export async function doctor(options: CommonOptions): Promise<Outcome> {
  const { checks, summary, canBegin } = await examine(settingsOf(options))
  const isColoured = process.stdout.isTTY && process.env["NO_COLOR"] === undefined
  const rows = table(checks.map(({ verdict, title, found }) => [verdict, title, found])).split("\n").slice(0, -1)
  const lines = rows.flatMap((row, index) => {
    const { verdict, lessons, remedy } = checks[index] ?? { verdict: "unknown" as const, lessons: [], remedy: "" }
    const word = row.slice(0, verdict.length)
    return [
      isColoured ? `${COLOURS[verdict]}${word}\x1b[0m${row.slice(verdict.length)}` : row,
      ...(verdict === "ok" || remedy === "" ? [] : [`         ${lessons.length === 0 ? "" : `needed by lessons ${lessons.map((lesson) => String(lesson).padStart(2, "0")).join(", ")}: `}${remedy}`]),
    ]
  })
  return { text: [...lines, "", summary, ""].join(EOL), data: { canBegin, summary, checks }, exitCode: canBegin ? 0 : 1 }
}

import { closingLine } from "../../report/result.ts"
import { INCIDENTS } from "./incidents.ts"
import type { RoundResult } from "./round.ts"

/** A table of the results, and the closing line. @param seconds the duration of all rounds */
export function summary(results: readonly RoundResult[], seconds: number): string {
  const rows = [
    ...INCIDENTS.map(({ name }) => ({ name, of: results.filter(({ incident }) => incident.name === name) })),
    { name: "together", of: results },
  ].filter(({ of }) => of.length > 0)
  const cells = rows.map(({ name, of }) => {
    const count = (holds: (result: RoundResult) => boolean) => String(of.filter(holds).length)
    return [
      name,
      String(of.length),
      count((one) => one.cleanAtOnce),
      count((one) => one.cleanAfterNext),
      count((one) => one.nextPassed),
      count((one) => one.keptIntact),
      range(of),
    ]
  })
  const table = [
    ["", "rounds", "clean at once", "clean after the next start", "next run passed", "kept intact", "struck after"],
    ...cells,
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  )
  const failed = results.filter(({ problems }) => problems.length > 0).length
  return [
    ...lines,
    "",
    `${(seconds / 60).toFixed(1)} min`,
    "",
    closingLine({ passed: results.length - failed, failed, skipped: 0 }),
  ].join("\n")
}

function range(results: readonly RoundResult[]): string {
  const moments = results.flatMap(({ moment }) => moment ?? [])
  return moments.length === 0 ? "" : `${Math.min(...moments).toFixed(1)} to ${Math.max(...moments).toFixed(1)} s`
}

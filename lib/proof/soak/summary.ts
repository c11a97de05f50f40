import { KINDS } from "./kinds.ts"
import type { Verdict } from "./round.ts"

/** A table of figures, and the closing line. @param seconds that all of it took */
export function summary(verdicts: readonly Verdict[], seconds: number): string {
  const rows = [
    ...KINDS.map(({ name }) => ({ name, of: verdicts.filter(({ kind }) => kind.name === name) })),
    { name: "together", of: verdicts },
  ].filter(({ of }) => of.length > 0)
  const cells = rows.map(({ name, of }) => {
    const count = (holds: (verdict: Verdict) => boolean) => String(of.filter(holds).length)
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
  const failed = verdicts.filter(({ problems }) => problems.length > 0).length
  return [
    ...lines,
    "",
    `${(seconds / 60).toFixed(1)} min`,
    "",
    `${verdicts.length - failed} passed, ${failed} failed, 0 skipped`,
  ].join("\n")
}

function range(verdicts: readonly Verdict[]): string {
  const moments = verdicts.flatMap(({ moment }) => moment ?? [])
  return moments.length === 0 ? "" : `${Math.min(...moments).toFixed(1)} to ${Math.max(...moments).toFixed(1)} s`
}

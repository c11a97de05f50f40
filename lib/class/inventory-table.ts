import { parse as parseCsv, CsvError } from "csv-parse/sync"
import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { KEYS, SOURCES, subjectSchema } from "./class-schema.ts"
import type { Inventory } from "./inventory.ts"
import { checked, textOf, type Origin } from "./origin.ts"

/** Reads a table with a row for each student. @throws UsageError with the line */
export function readTable(file: string): Inventory {
  const rows = parsedCsv(file)
  const [header] = rows
  const names = header?.record ?? []
  for (const [at, name] of names.entries()) {
    const isTwice = names.indexOf(name) !== at
    if (!KEYS.subject.includes(name) || isTwice)
      throw new UsageError(
        `${file}, line 1: there is ${isTwice ? "a second" : "no"} column ${name === "" ? "without a name" : name}.`,
        `${isTwice ? "" : didYouMean(name, KEYS.subject)}The columns are id, one or more of ${SOURCES.join(", ")}, and ref, submitted, due.`,
      )
  }
  const origin: Origin = { file, lineOf: ([at]) => rows[Number(at) + 1]?.line ?? 1 }
  const subjects = rows.slice(1).map(({ record, line }, at) => {
    if (record.length !== names.length)
      throw new UsageError(
        `${file}, line ${line}: it has ${record.length} cells, and the first line has ${names.length}.`,
        "Give each line the same number of cells.",
      )
    // An empty cell is no value.
    const entries = names.flatMap((name, column) => (record[column] === "" ? [] : [[name, record[column]] as const]))
    return checked(subjectSchema, Object.fromEntries(entries), origin, [at])
  })
  return { subjects, origin, sshConfig: undefined }
}

function parsedCsv(file: string): { record: string[]; line: number }[] {
  const lines: number[] = []
  try {
    const records = parseCsv(textOf(file), {
      bom: true,
      trim: true,
      relaxColumnCount: true,
      skipEmptyLines: true,
      onRecord: (record: string[], context) => {
        lines.push(context.lines)
        return record
      },
    }) as string[][] // Without `columns`, records are lists of texts.
    return records.map((record, at) => ({ record, line: lines[at] ?? 1 }))
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw new UsageError(
      `${file}, line ${lineOf(error)}: this is no CSV: ${error.message}.`,
      'Put a cell with a comma, a quote or a line break in double quotes, and write "" for a quote in it.',
      { cause: error },
    )
  }
}

/** The types of csv-parse say of an error only that it can have further fields. */
function lineOf(error: CsvError): number {
  const { lines } = error
  return typeof lines === "number" ? lines : 1
}

import { autolab } from "./autolab.ts"
import { classroom50 } from "./classroom50.ts"
import { csv } from "./csv.ts"
import { exercism } from "./exercism.ts"
import type { Format } from "./format.ts"
import { gitHubAnnotations, gitHubSummary } from "./github.ts"
import { canvas, moodle } from "./grade-books.ts"
import { gradescope } from "./gradescope.ts"
import { json } from "./json.ts"
import { junit } from "./junit.ts"
import { table } from "./table.ts"
import { tap } from "./tap.ts"

/** All formats of --format. A new format is one file and one entry here; help, errors and README follow. */
export const formats: readonly Format[] = [
  json,
  csv,
  table,
  junit,
  tap,
  gitHubSummary,
  gitHubAnnotations,
  gradescope,
  moodle,
  canvas,
  exercism,
  autolab,
  classroom50,
]

import { z } from "zod"
import { runResult } from "../report/result.ts"

const outcome = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("graded"), result: runResult }),
  z.object({
    kind: z.literal("ungraded"),
    reason: z.string().describe("why there is no grade, in plain words"),
    after: z.number().nullable().describe("the limit that was over, in seconds; null if it was something else"),
    isOurs: z.boolean().describe("whether it is a fault of this host or suite, so that the next run tries again"),
  }),
])

/** What became of a student: a result, or why there is none. Having none is not the same as having no points. */
export type Outcome = z.infer<typeof outcome>

/** The schema of the file that keeps what became of a student. */
export const keptSchema = z.object({
  schema: z.literal("byhand/class-subject/v1"),
  id: z.string(),
  run: z.string().describe("the run that graded it"),
  settings: z.string().describe("digest of how it was graded: version, lessons, limit and others"),
  source: z.string().describe("digest of the scripts; empty for a host, and if they could not be obtained"),
  commit: z.string().nullable(),
  committed: z.number().nullable().describe("date of the commit, in milliseconds since the epoch"),
  at: z.number().describe("when it was graded, in milliseconds since the epoch"),
  outcome,
  stuck: z
    .object({
      lesson: z.string(),
      cause: z.string().describe("id of the finding; of the outcome if no known cause matches"),
      since: z.number().describe("when a run first saw it, in milliseconds since the epoch"),
    })
    .nullable()
    .optional()
    .describe(
      "the first failure; of a student without a grade, that of the last result; none in files of old versions",
    ),
})

/** What became of a student, and when and of what. */
export type Row = z.infer<typeof keptSchema>

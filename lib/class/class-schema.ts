import { z } from "zod"
import { lessons } from "../curriculum/lessons.ts"
import { HOST_TARGET, hostTargetIn } from "../machines/host/target.ts"

/** Schemas of texts that YAML can also read as numbers, such as 01, and what JSON Schema says about such a number. */
const alsoNumbers = new Map<unknown, object>()

function alsoNumber<T extends z.ZodType>(schema: T, range: object): T {
  alsoNumbers.set(schema, range)
  return schema
}

const NO_LESSON = "is not the number of a lesson"

/** The published schema allows any number, so that a class.yaml is also valid for a version with more lessons. */
const lessonId = z
  .string()
  .regex(/^\d{1,2}$/, NO_LESSON)
  .refine((given) => lessons.some(({ number }) => number === Number(given)), NO_LESSON)
  .describe("the number of a lesson, such as 01")
const lesson = alsoNumber(lessonId.describe("the number of a lesson, such as 01"), { minimum: 1, maximum: 99 })

const PERCENT = { minimum: 0, maximum: 100 }
const percent = alsoNumber(
  z.string().regex(/^(100(\.0+)?|\d{1,2}(\.\d+)?) ?%?$/, "must be a percentage from 0 to 100, such as 10 %"),
  PERCENT,
)

const instant = z
  .string()
  .regex(
    /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/,
    "must be a date with time and time zone, such as 2026-11-20T23:59+01:00",
  )
  .refine((given) => !Number.isNaN(Date.parse(given.replace(" ", "T"))), "is no date of the calendar")
  .describe("a date with time and time zone, such as 2026-11-20T23:59+01:00")

const place = z
  .string()
  .min(1, "is empty")
  .regex(/^[^-\p{Cc}\\][^\p{Cc}\\]*$/u, "must not begin with a hyphen, nor contain control characters or backslashes")

const NO_HOST = "must be local, or ssh://USER@HOST:PORT, where USER and PORT are optional"

const subjectFields = {
  id: alsoNumber(
    z
      .string()
      .regex(
        /^[\p{L}\p{N}][\p{L}\p{N}@._+ -]{0,49}$/u,
        "must have up to 50 letters, digits, spaces or characters of @._+- and begin with a letter or digit",
      )
      .describe("how the grade book names the student; a file of this name keeps the result"),
    { minimum: 0 },
  ),
  folder: place.describe("a folder of start scripts, relative to this file").optional(),
  git: place.describe("the address or path of a git repository with the scripts").optional(),
  ref: place.describe("a branch, tag or full commit of the repository (default: its HEAD)").optional(),
  archive: place.describe("a .tar.gz, .tgz or .zip with the scripts, relative to this file").optional(),
  host: z
    .string()
    .regex(HOST_TARGET, NO_HOST)
    .refine((given) => hostTargetIn(given) !== undefined, NO_HOST)
    .describe("a running host, which is only looked at: ssh://USER@HOST:PORT, or local for this host")
    .optional(),
  submitted: instant.describe("when it was handed in (default for git: the date of the commit)").optional(),
  due: instant.describe("when this student had to hand in, instead of the class's due").optional(),
}

/** A student of a class. */
export const subjectSchema = z.strictObject(subjectFields)

/** The keys that say where a student's scripts or cluster are. Each student has one of them. */
export const SOURCES = ["folder", "git", "archive", "host"] as const

const late = z.strictObject({
  "per day": alsoNumber(
    percent.describe("what each day that has begun takes from the grade, in percent of what was reached"),
    PERCENT,
  ),
  "at most": alsoNumber(percent.describe("the most that lateness takes (default: 100 %)"), PERCENT).optional(),
})

/** The schema of class.yaml. All values are texts: it is read without YAML's own types, so that 01 stays 01. */
export const classSchema = z.strictObject({
  title: z.string().describe("the heading of the grade book").optional(),
  lessons: z
    .array(lesson)
    .min(1, "is empty")
    .describe("the lessons to grade (default: those with a weight, or all)")
    .optional(),
  weights: z
    .record(lessonId, percent)
    .describe("what each lesson contributes to the grade; the sum is 100 % (default: each outcome counts the same)")
    .optional(),
  credit: z
    .enum(["per outcome", "per lesson"], "must be per outcome or per lesson")
    .describe("per outcome: a lesson gives its part of passed outcomes (default); per lesson: all or nothing")
    .optional(),
  values: z
    .enum(["free", "individual"], "must be free or individual")
    .describe(
      "individual: the cluster of each student must have the values that byhand new --for ID has given; free: a student may choose all of them (default)",
    )
    .optional(),
  due: instant.describe("when the class had to hand in").optional(),
  late: late.describe("what lateness takes from the grade").optional(),
  subjects: z.array(subjectSchema).min(1, "is empty").describe("the students").optional(),
})

export type ClassDocument = z.infer<typeof classSchema>
export type SubjectDocument = z.infer<typeof subjectSchema>

/** All keys of class.yaml, for suggestions. */
export const KEYS = {
  file: Object.keys(classSchema.shape),
  late: Object.keys(late.shape),
  subject: Object.keys(subjectFields),
} as const

/** The JSON Schema of class.yaml, for editors and validators. */
export function classJsonSchema(): object {
  return {
    title: "byhand/class/v1",
    ...z.toJSONSchema(classSchema, {
      override({ zodSchema, jsonSchema }) {
        const range = alsoNumbers.get(zodSchema)
        if (range !== undefined) Object.assign(jsonSchema, { type: ["string", "number"], ...range })
        if (zodSchema === subjectSchema)
          Object.assign(jsonSchema, {
            oneOf: SOURCES.map((source) => ({ required: [source] })),
            dependentRequired: { ref: ["git"] },
          })
      },
    }),
  }
}

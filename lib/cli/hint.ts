import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { UsageError } from "../base/errors.ts"
import { didYouMean } from "../base/nearest.ts"
import { packageRoot } from "../base/settings.ts"
import type { LessonSpec } from "../curriculum/lesson-spec.ts"
import { lessonId, lessons, scriptsOf } from "../curriculum/lessons.ts"
import { typedParts, type TypedPart } from "../curriculum/transcript/typed-parts.ts"
import type { Outcome } from "./options.ts"

const STEPS = ["a nudge", "the direction", "the answer"] as const
const WIDTH = 100

/** For each script or lesson: the comment that its script contains already, and the first two steps. */
const hints = z.record(
  z.string(),
  z.object({ comment: z.string().optional(), nudge: z.string(), direction: z.string() }),
)

/**
 * Help with a lesson or with one of its start scripts, in three steps. Each call shows one step only. The third step is
 * the answer: the commands of the workshop, which run as they are printed.
 * @param given a lesson's number, such as 2 or 02, a start script's name, such as 05-kubelet.sh, or what a script
 * starts, such as kubelet or apiserver
 * @throws UsageError for a lesson, script or step that does not exist
 */
export async function hint(given: string, step = "1"): Promise<Outcome> {
  const { lesson, parts } = asked(given)
  const at = ["1", "2", "3"].indexOf(step)
  if (at < 0)
    throw new UsageError(
      `There is no step ${step}.`,
      `There are ${STEPS.map((name, index) => `${index + 1} (${name})`).join(", ")}.`,
    )
  const known = hints.parse(JSON.parse(await readFile(join(packageRoot, "fixtures", "hints", "hints.json"), "utf8")))
  const comment = at === STEPS.length - 1 ? "# " : "" // The answer as a whole must be a script that runs.
  const texts = parts.map(({ script, on, text: answer }) => {
    const { nudge = "", direction = "" } = known[script ?? lessonId(lesson)] ?? {}
    // Parts without a script have the hint of their lesson in common.
    const place = script === undefined ? (on === undefined || at < STEPS.length - 1 ? "" : `on ${on}`) : `${script}.sh`
    const heading = parts.length > 1 && place !== "" ? `${comment}${place}\n` : ""
    return heading + ([folded(nudge), folded(direction)][at] ?? answer)
  })
  const text = [...new Set(texts)].join("\n\n")
  const more = at < STEPS.length - 1 ? `\n${STEPS[at + 1]}: npx byhand hint ${given} ${at + 2}\n` : ""
  return {
    text: `${comment}${lessonId(lesson)} ${lesson.title} (${at + 1} of ${STEPS.length}: ${STEPS[at]})\n\n${text}\n${more}`,
    data: { lesson: lessonId(lesson), step: at + 1, hint: text },
  }
}

/** Finds the lesson and the parts of it that a word names. @throws UsageError if there are none */
function asked(given: string): { lesson: LessonSpec; parts: readonly TypedPart[] } {
  const word = given.trim().toLowerCase()
  const script = NAMES.get(word) ?? word
  const [, number, name] = /^0*(\d+)(-.+?)?(?:\.sh)?$/.exec(script) ?? []
  const lesson = lessons.find((candidate) => candidate.number === Number(number))
  if (lesson === undefined)
    throw new UsageError(
      `There is no lesson ${given}.`,
      `${didYouMean(word, [...NAMES.keys()])}There are ${lessons.map(lessonId).join(", ")}, and ${[...COMPONENTS.keys()].join(", ")}.`,
    )
  const id = lessonId(lesson)
  const parts = typedParts(lesson)
  const chosen = name === undefined ? parts : parts.filter((part) => part.script === `${id}${name}`)
  if (chosen.length > 0) return { lesson, parts: chosen }
  const scripts = scriptsOf(lesson)
  throw new UsageError(
    `There is no hint for ${given}.`,
    scripts.length === 0
      ? `Lesson ${id} needs no script: npx byhand hint ${id}`
      : `Lesson ${id} has ${scripts.join(" and ")}.`,
  )
}

/** The components that scripts start, and the script of each on the first machine. */
const COMPONENTS: ReadonlyMap<string, string> = new Map(
  lessons.flatMap(({ parts }) =>
    parts.flatMap(({ script, starts, on }): [string, string][] =>
      script === undefined || starts === undefined || on !== undefined ? [] : [[starts, script]],
    ),
  ),
)

/** All names that can be given instead of a lesson or script: components with and without "kube-", and slugs. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ...lessons.flatMap((lesson): [string, string][] => [
    [lesson.slug, lessonId(lesson)],
    [lesson.slug.replace(/^.*-/, ""), lessonId(lesson)],
  ]),
  ...[...COMPONENTS].flatMap(([name, script]): [string, string][] => [
    [name, script],
    [name.replace(/^kube-/, ""), script],
  ]),
])

/** A paragraph in lines of at most WIDTH characters. */
function folded(text: string): string {
  return text
    .split(" ")
    .reduce(
      (lines: string[], word) => {
        const last = lines.at(-1) ?? ""
        return last.length + word.length < WIDTH ? [...lines.slice(0, -1), `${last} ${word}`.trim()] : [...lines, word]
      },
      [""],
    )
    .join("\n")
}

import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { UsageError } from "../base/errors.ts"
import { allLessons, type LessonFile } from "../curriculum/lessons.ts"
import { packageRoot } from "../base/settings.ts"
import { answers, type Answer } from "../curriculum/transcript/answers.ts"
import type { Outcome } from "./options.ts"

const STEPS = ["a nudge", "the direction", "the answer"] as const
const WIDTH = 100

const hints = z.record(z.string(), z.object({ nudge: z.string(), direction: z.string() }))

/**
 * Help with a lesson, or with one start script of it, in three steps: no more of it than was asked for.
 * The answer is what the workshop itself types, and runs as it is printed.
 * @param given a lesson's number, such as 2 or 02, or a start script's name, such as 05-kubelet.sh
 * @throws UsageError for a lesson, script or step that there is not
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
  const comment = at === STEPS.length - 1 ? "# " : "" // So that the answer is a script, whole.
  const text = parts
    .map((part) => {
      const { nudge = "", direction = "" } = known[part.script ?? lesson.number] ?? {}
      const heading = parts.length > 1 ? `${comment}${part.script ?? ""}.sh\n` : ""
      return heading + ([folded(nudge), folded(direction)][at] ?? part.text)
    })
    .join("\n\n")
  const more = at < STEPS.length - 1 ? `\n${STEPS[at + 1]}: npx byhand hint ${given} ${at + 2}\n` : ""
  return {
    text: `${comment}${lesson.number} ${lesson.title} (${at + 1} of ${STEPS.length}: ${STEPS[at]})\n\n${text}\n${more}`,
    data: { lesson: lesson.number, step: at + 1, hint: text },
  }
}

/** The lesson that is meant, and what of it. @throws UsageError */
function asked(given: string): { lesson: LessonFile; parts: readonly Answer[] } {
  const lessons = allLessons()
  const [, number, script] = /^0*(\d+)(-.+?)?(?:\.sh)?$/.exec(given.trim()) ?? []
  const lesson = lessons.find((candidate) => Number(candidate.number) === Number(number))
  if (lesson === undefined)
    throw new UsageError(`There is no lesson ${given}.`, `There are ${lessons.map((each) => each.number).join(", ")}.`)
  const parts = answers(Number(lesson.number))
  const chosen = script === undefined ? parts : parts.filter((part) => part.script === `${lesson.number}${script}`)
  if (chosen.length > 0) return { lesson, parts: chosen }
  const scripts = parts.flatMap((part) => (part.script === undefined ? [] : [`${part.script}.sh`]))
  throw new UsageError(
    `There is no hint for ${given}.`,
    scripts.length === 0
      ? `Lesson ${lesson.number} needs no script: npx byhand hint ${lesson.number}`
      : `Lesson ${lesson.number} has ${scripts.join(" and ")}.`,
  )
}

/** A paragraph in lines that a terminal shows whole. */
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

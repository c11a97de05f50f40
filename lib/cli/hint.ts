import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { UsageError } from "../errors.ts"
import { allLessons } from "../lessons.ts"
import { packageRoot } from "../settings.ts"
import { typedIn } from "../transcript/transcript.ts"
import type { Outcome } from "./options.ts"

const STEPS = ["a nudge", "the direction", "the answer"] as const
const WIDTH = 100

const hints = z.record(z.string(), z.object({ nudge: z.string(), direction: z.string() }))

/**
 * Help with a lesson, no more of it than was asked for; the answer is what the workshop itself types.
 * @throws UsageError for a lesson or a step that there is not
 */
export async function hint(given: string, step = "1"): Promise<Outcome> {
  const lessons = allLessons()
  const lesson = lessons.find(({ number }) => Number(number) === Number(given))
  if (lesson === undefined || given.trim() === "") throw new UsageError(`There is no lesson ${given}.`, `There are ${lessons.map(({ number }) => number).join(", ")}.`)
  const at = ["1", "2", "3"].indexOf(step)
  if (at < 0) throw new UsageError(`There is no step ${step}.`, `There are ${STEPS.map((name, index) => `${index + 1} (${name})`).join(", ")}.`)
  const known = hints.parse(JSON.parse(await readFile(join(packageRoot, "fixtures", "hints", "hints.json"), "utf8")))[lesson.number]
  const text = [folded(known?.nudge ?? ""), folded(known?.direction ?? ""), typedIn(Number(lesson.number))][at] ?? ""
  const more = at < STEPS.length - 1 ? `\n${STEPS[at + 1]}: npx byhand hint ${lesson.number} ${at + 2}\n` : ""
  return {
    text: `${lesson.number} ${lesson.title} (${at + 1} of ${STEPS.length}: ${STEPS[at]})\n\n${text}\n${more}`,
    data: { lesson: lesson.number, step: at + 1, hint: text },
  }
}

/** A paragraph in lines that a terminal shows whole. */
function folded(text: string): string {
  return text.split(" ").reduce((lines: string[], word) => {
    const last = lines.at(-1) ?? ""
    return last.length + word.length < WIDTH ? [...lines.slice(0, -1), `${last} ${word}`.trim()] : [...lines, word]
  }, [""]).join("\n")
}

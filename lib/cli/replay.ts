import { join, resolve } from "node:path"
import { UsageError } from "../base/errors.ts"
import { lessonCalled, lessonId, lessons } from "../curriculum/lessons.ts"
import { checkSubmission } from "../submission/check.ts"
import { SCRIPTS } from "../submission/compose.ts"
import { withGradedMachine } from "./graded-machine.ts"
import { entered, environmentOf } from "./inside.ts"
import { settingsOf, type CommonOptions } from "./options.ts"

/**
 * Runs the scripts of a submission up to a lesson, and opens a shell on the machine in the state at the end of that
 * lesson. The machine ends with the shell.
 * @param words a command to run instead of a shell
 * @returns the exit status of the shell or the command
 * @throws UsageError, also if the submission was edited
 */
export async function replay(
  given: string,
  lesson: string,
  words: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const last = lessonCalled(lesson)
  const folder = resolve(given)
  const { manifest, edited } = await checkSubmission(folder)
  if (edited.length > 0)
    throw new UsageError(`${given} was edited: ${edited.join("; ")}.`, "npx byhand verify shows everything.")
  const settings = settingsOf({ ...options, kubernetes: options.kubernetes ?? manifest.kubernetes })
  return withGradedMachine(
    {
      folder: join(folder, SCRIPTS),
      settings,
      lessons: lessons.filter(({ number }) => number <= last.number),
      isQuiet: words.length > 0,
    },
    async ({ machine, enter }) => {
      const environment = await environmentOf(machine)
      if (words.length === 0)
        process.stderr.write(
          `\nThis is the machine of ${manifest.student} at the end of lesson ${lessonId(last)}. It ends with this shell: exit\n`,
        )
      return enter(entered(words, environment))
    },
  )
}

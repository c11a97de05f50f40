import { lessonId, lessons } from "../lessons.ts"

/**
 * Completes the README.md of a learner's folder.
 * @param text with SCRIPTS in place of the rows about the scripts, and CHANGING in place of the lessons that change how
 *   components are started
 */
export function completed(text: string): string {
  const changing = lessons
    .filter(({ settings, isThere }) => settings !== undefined && isThere !== undefined)
    .map(lessonId)
  const list = new Intl.ListFormat("en-GB").format(changing)
  return text.replace("SCRIPTS", rows().join("\n")).replace("CHANGING", `Lessons ${list}`)
}

/**
 * A row for each script, and for each file that is filled in. A lesson without a script checks what the last script
 * before it started.
 */
function rows(): string[] {
  const sheets: string[] = []
  const scripts: { name: string; write: string; ids: string[] }[] = []
  for (const lesson of lessons) {
    const own = lesson.parts.flatMap((part) => (part.script === undefined ? [] : [part]))
    const ids = [lessonId(lesson)]
    if (lesson.sheet !== undefined) {
      sheets.push(`| \`${lesson.sheet.file}\` | ${lessonId(lesson)} | ${lesson.sheet.write} |`)
      continue
    }
    if (own.length === 0) scripts.at(-1)?.ids.push(...ids)
    for (const { script, write } of own) scripts.push({ name: script, write, ids: [...ids] })
  }
  return [...scripts.map(({ name, write, ids }) => `| \`${name}.sh\` | ${ids.join(", ")} | ${write} |`), ...sheets]
}

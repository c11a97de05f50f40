import { APISERVER_PORT } from "../../components/apiserver.ts"
import { DNS_ADDRESS } from "../../components/coredns.ts"
import type { OwnValues } from "../../subjects/own-values.ts"
import { lessonId, lessons } from "../lessons.ts"

/** The values in hints and in the solution that are other ones for each student. */
const USUAL = `${APISERVER_PORT}, 10.0.0.0/24, ${DNS_ADDRESS} for DNS, and no name for the first member of etcd`

/**
 * Completes the README.md of a learner's folder.
 * @param text with SCRIPTS in place of the rows about the scripts, CHANGING in place of the lessons that change how
 *   components are started, and VALUES in place of the part about the student's own values
 * @param own the values that the cluster must have; undefined if the learner may choose all of them
 */
export function completed(text: string, own: OwnValues | undefined): string {
  const changing = lessons
    .filter(({ settings, isThere }) => settings !== undefined && isThere !== undefined)
    .map(lessonId)
  const list = new Intl.ListFormat("en-GB").format(changing)
  return text
    .replace("SCRIPTS", rows().join("\n"))
    .replace("CHANGING", `Lessons ${list}`)
    .replace("VALUES", () => (own === undefined ? "" : aboutValues(own)))
}

/** The part about the student's own values. */
function aboutValues({ values }: OwnValues): string {
  const rows = values.map(({ component, flag, value }) => `| \`${flag}\` of ${component} | \`${value}\` |`)
  return `## Your own values

Your cluster must have these values. Each student has different ones, so the scripts of another student fail in your folder.
Hints and lessons show the usual values (${USUAL}): write yours instead.

| | |
| --- | --- |
${rows.join("\n")}

`
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

import type { Component } from "../../components/component.ts"
import { specOf, type ComponentName } from "../../components/registry.ts"
import { lessons } from "../../curriculum/lessons.ts"
import { commandOf, writes } from "../../curriculum/transcript/bash.ts"
import type { Hand } from "../../curriculum/transcript/hand.ts"
import { reference } from "../../curriculum/transcript/reference.ts"
import { inScript, preparation, typedParts } from "../../curriculum/transcript/typed-parts.ts"
import type { Sabotage } from "./sabotage.ts"

/** How the scripts of a learner's folder start their components: from a component's command to lines for bash. */
const ways = {
  exec: (command) => `exec ${command}`,
  background: (command) => `${command} &`,
  logged: (command, name) => `${command} >${learnersLog(name)} 2>&1 &`,
  supervised: (command) => `while true; do\n  ${command.replaceAll("\n", "\n  ")} || true\n  sleep 1\ndone`,
} as const satisfies Readonly<Record<string, (command: string, name: ComponentName) => string>>

/** Ends the loops of earlier scripts, which would start the components again that a later script replaces. */
const END_SUPERVISORS = `pkill -KILL -f '\\./0[1-7]-' || true`

/** A style in which a learner writes start scripts. */
export type Style = keyof typeof ways

/** All styles, in the order of the matrix columns. */
export const styles = Object.keys(ways) as Style[] // The keys of `ways`.

/** The log file of a component in the style "logged". */
function learnersLog(name: ComponentName): string {
  return `/root/${name}.txt`
}

/** Why scripts of a learner's folder cannot make this mistake; undefined if they can. */
export function notByScripts({ fails, component = {}, ownClusterOnly }: Sabotage): string | undefined {
  if (fails.length === 0) return "byhand doctor must find it, and the doctor examines our own cluster"
  const provided = (Object.keys(component) as ComponentName[]).find((name) => specOf(name).isProvided === true)
  if (provided !== undefined) return `the course provides the ${provided}`
  return ownClusterOnly
}

/**
 * A learner's folder that makes the mistake of a sabotage: the lines of the workshop with the changed components, in
 * one style.
 * @returns the text of each script by its file name
 */
export function folderOf(sabotage: Sabotage, style: Style): ReadonlyMap<string, string> {
  const { component: changes = {}, from = 1 } = sabotage
  const startedLate = startedFrom(from)
  const scripts = lessons.flatMap((lesson) =>
    lesson.parts.flatMap((part) => {
      // The name of a script of a further machine ends in that machine: 11-etcd@etcd-2.
      const isThere = part.script?.split("@")[1] === sabotage.on
      const change = (component: Component) => {
        // What a later script starts in another way must first work.
        const isEarly = lesson.number < from && startedLate.has(component.name)
        return (isThere && !isEarly ? changes[component.name]?.(component) : undefined) ?? component
      }
      const start: Hand["start"] = (component) => {
        const changed = change(component)
        // A script that starts several components cannot become one of them.
        if (lesson.settings !== undefined) return inScript.start(changed)
        return `${preparation(changed)}\n${ways[style](commandOf(changed), changed.name)}`
      }
      // The folder has no etc/.
      const given: Hand["given"] = (file) => {
        const owners = (Object.keys(changes) as ComponentName[]).map((name) => ({ ...reference[name], files: [file] }))
        return writes(
          owners.flatMap((owner) => change(owner).files).find((one) => one.content !== file.content) ?? file,
        )
      }
      const typed = typedParts({ ...lesson, parts: [part] }, { ...inScript, start, given })
      return lesson.settings === undefined || style !== "supervised"
        ? typed
        : typed.map(({ script, text }) => ({ script, text: `${END_SUPERVISORS}\n${text}` }))
    }),
  )
  return new Map(
    scripts.flatMap(({ script, text }) =>
      script === undefined ? [] : [[`${script}.sh`, `#!/bin/bash\nset -euo pipefail\n${text}\n`]],
    ),
  )
}

/** The components that the scripts of this lesson, or of later ones, start. */
function startedFrom(number: number): ReadonlySet<string> {
  const started = new Set<string>()
  const start: Hand["start"] = (component) => {
    started.add(component.name)
    return ""
  }
  for (const lesson of lessons.filter((one) => one.number >= number)) typedParts(lesson, { ...inScript, start })
  return started
}

import { UsageError } from "../base/errors.ts"
import { join } from "node:path"
import { packageRoot } from "../base/settings.ts"
import { componentNames, dependenciesOf, featuresOf, type ComponentName } from "../components/registry.ts"
import type { MachineFeature } from "../components/spec.ts"
import type { ComponentFailure } from "../failures/failure.ts"
import type { MachineName } from "../machines/network.ts"
import type { Changes, Stage } from "../clusters/stage.ts"
import type { LessonSpec } from "./lesson-spec.ts"
import * as all from "./lessons/all.ts"

export * from "./lessons/all.ts"

/** All lessons in order. */
export const lessons: readonly LessonSpec[] = Object.values<LessonSpec>(all).toSorted((a, b) => a.number - b.number)

/** A lesson's number as text: two digits, such as "03". */
export function lessonId({ number }: Pick<LessonSpec, "number">): string {
  return String(number).padStart(2, "0")
}

/** Whether a word of the command line names a lesson. The zero before its number is optional. */
export function isCalled(given: string): (lesson: LessonSpec) => boolean {
  return (lesson) => given !== "" && lessonId(lesson) === given.padStart(2, "0")
}

/** The lesson that a person names, such as 3 or 03. @throws UsageError if there is none */
export function lessonCalled(given: string): LessonSpec {
  const lesson = lessons.find(isCalled(given))
  if (lesson === undefined)
    throw new UsageError(`There is no lesson ${given}.`, `There are ${lessons.map(lessonId).join(", ")}.`)
  return lesson
}

/** The path of the file with a lesson's tests. */
export function testFileOf(lesson: LessonSpec): string {
  return join(packageRoot, "tests", `${lessonId(lesson)}-${lesson.slug}.test.ts`)
}

/** The lesson whose tests are in a file; undefined if the file belongs to none. */
export function lessonOf(path: string): LessonSpec | undefined {
  return lessons.find((lesson) => testFileOf(lesson) === path)
}

/** The names of a lesson's start scripts, in order, such as "02-apiserver.sh". */
export function scriptsOf({ parts }: Pick<LessonSpec, "parts">): string[] {
  return parts.flatMap(({ script }) => (script === undefined ? [] : [`${script}.sh`]))
}

/** The titles of a lesson's outcomes, in order. */
export function titlesOf({ outcomes }: LessonSpec): string[] {
  return Object.keys(outcomes)
}

/**
 * The lesson that brings up a component: the first that needs it.
 * @param machine the further machine on which it runs; undefined for the first machine
 */
export function lessonThatStarts(component: ComponentName, machine?: MachineName): LessonSpec | undefined {
  if (machine !== undefined) return lessons.find(({ machines }) => machines?.[machine]?.includes(component))
  return lessons.find(({ components }) => dependenciesOf(components).some(({ name }) => name === component))
}

/** The components of a lesson on all machines. */
export function everyComponentOf({ components, machines = {} }: LessonSpec): ComponentName[] {
  return [...new Set([...components, ...Object.values(machines).flat()])]
}

/**
 * The lesson to which a failed start of a component belongs: the last one up to the given lesson that changes how the
 * component is started, or else the one that brings it up.
 */
export function lessonAnsweringFor(
  component: ComponentName,
  upTo: LessonSpec,
  machine?: MachineName,
): LessonSpec | undefined {
  const changed = lessons.findLast(
    ({ number, settings }) => number <= upTo.number && settings?.[component] !== undefined,
  )
  const starter = lessonThatStarts(component, machine)
  return changed !== undefined && changed.number > (starter?.number ?? 0) ? changed : starter
}

/**
 * The lesson to which the failure of a component belongs. If a script has failed, it is the script's, or the later one
 * that needs the component: the first script may start everything.
 */
export function lessonOfFailure(
  failure: ComponentFailure,
  upTo: LessonSpec,
  machine?: MachineName,
): LessonSpec | undefined {
  const script = "script" in failure ? failure.script : undefined
  const own = lessons.find(({ number }) => number === Number.parseInt(script ?? "", 10))
  if (own === undefined) return lessonAnsweringFor(failure.name, upTo, machine)
  const starter = own.settings === undefined ? lessonThatStarts(failure.name, machine) : undefined
  return starter !== undefined && starter.number > own.number ? starter : own
}

/** Everything that the machine must provide for all outcomes of a lesson. */
export function featuresOfLesson(lesson: LessonSpec): MachineFeature[] {
  return [...new Set([...featuresOf(everyComponentOf(lesson)), ...(lesson.requires ?? [])])]
}

/** Everything that the machine must provide for one outcome of a lesson. */
export function featuresFor(lesson: LessonSpec, title: string): readonly MachineFeature[] {
  return lesson.outcomes[title]?.requires ?? featuresOfLesson(lesson)
}

/** The components of a lesson that run before it, because an earlier lesson starts them. */
function componentsBefore({ number, components }: LessonSpec): ComponentName[] {
  return components.filter((name) => (lessonThatStarts(name)?.number ?? 0) < number)
}

/** The stages of a cluster up to a lesson, in order. */
export function stagesUpTo(lesson: LessonSpec): Stage[] {
  return lessons
    .filter(({ number, settings }) => number <= lesson.number && settings !== undefined)
    .map((one) => ({
      number: one.number,
      components: componentsBefore(one),
      changed: componentNames.filter((name) => one.settings?.[name] !== undefined),
      changes: settingsIn(one),
    }))
}

/** The component settings in effect in a lesson: its own and those of all lessons before it, applied in order. */
export function settingsIn(lesson: LessonSpec): Changes {
  const effective: Record<string, NonNullable<Changes[ComponentName]>> = {}
  for (const { number, settings = {} } of lessons) {
    if (number > lesson.number) continue
    for (const [name, change] of Object.entries(settings)) {
      const before = effective[name]
      effective[name] = before === undefined ? change : (component, facts) => change(before(component, facts), facts)
    }
  }
  return effective
}

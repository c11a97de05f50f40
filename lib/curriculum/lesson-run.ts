import type { TaskMeta } from "vitest"
import { messageOf, problemOf } from "../base/errors.ts"
import { BlockedError, ComponentError } from "../clusters/errors.ts"
import { CommandTimeoutError, MachineEndedError } from "../machines/agent-machine.ts"
import type { MachineName } from "../machines/network.ts"
import type { Explanation } from "../diagnosis/explain.ts"
import type { Failure } from "../failures/failure.ts"
import type { Finding } from "../failures/finding.ts"
import { failureOf } from "../failures/thrown.ts"
import { canRun } from "../clusters/cluster.ts"
import { allows } from "../clusters/permission.ts"
import { dependenciesOf, specOf as componentSpecOf, type ComponentName } from "../components/registry.ts"
import type { Classroom } from "./classroom.ts"
import type { Cleanups } from "./cleanups.ts"
import { kitOf, mustAllow, type Kit } from "./kit.ts"
import { cannotCheck, NotChecked } from "./not-checked.ts"
import type { LessonSpec } from "./lesson-spec.ts"
import { waitingAs } from "./until.ts"
import { WaitError } from "../failures/until.ts"
import { featuresFor, lessonAnsweringFor, lessonId, lessonOfFailure, lessonThatStarts, stagesUpTo } from "./lessons.ts"

/** One outcome to check. */
export interface OutcomeRun {
  readonly lesson: LessonSpec
  readonly title: string
  readonly body: (kit: Kit) => Promise<void>
  readonly meta: TaskMeta
  /** Called for each line of evidence. */
  readonly onEvidence?: (line: string) => void
  /** Runs after the outcome. */
  readonly cleanups: Cleanups
  /** Runs after the lesson. */
  readonly lessonEnd: Cleanups
}

/**
 * Builds the card of a failure and its explanation, with the components of ours that run in place of the learner's. The
 * floor above (lib/report) implements it.
 */
export type CardOf = (
  failure: Failure,
  explanation: Explanation,
  standIns: readonly ComponentName[],
) => NonNullable<TaskMeta["card"]>

/**
 * How many later waits in vain block all that follows, after one wait has used up the whole patience: with a known
 * cause, and without one. A cluster that is half well can still pass outcomes.
 */
const VAIN_WAITS = { known: 4, unknown: 2 }

export interface LessonRunOptions {
  /** Whether the lessons after the first lesson that does not pass are blocked. */
  readonly stopsAfterFailure?: boolean
  /** Whether a lesson runs on a machine on which the programs of later lessons are missing. */
  readonly isEarly?: (lesson: LessonSpec) => boolean
  /** Whether the user asks for a lesson by its number, so that it is checked although there is no script for it. */
  readonly isDemanded?: (lesson: LessonSpec) => boolean
  /** Whether ours takes the place of a learner's component that did not start, once a lesson has failed for that. */
  readonly standsIn?: boolean
}

/** The run of all lessons in one process: they share one classroom, and a failure can block what follows. */
export class LessonRun implements AsyncDisposable {
  readonly #open: (lesson: LessonSpec) => Promise<Classroom>
  readonly #isEarly: (lesson: LessonSpec) => boolean
  readonly #isDemanded: (lesson: LessonSpec) => boolean
  readonly #toCard: CardOf
  readonly #stopsAfterFailure: boolean
  #opened: Promise<Classroom> | undefined
  #isOpenEarly = false
  /** The lesson in which the machine could not be started, ended, or hung. It blocks all later outcomes. */
  #closedSince: LessonSpec | undefined
  /** The first lesson that did not pass, if the lessons after it are blocked. */
  #stoppedAt: LessonSpec | undefined
  /** How many outcomes had a command that timed out. */
  #hung = 0
  /**
   * The causes that ended a wait, each with the lesson that reported it. A later wait with the same cause is blocked.
   */
  readonly #causes = new Map<string, LessonSpec>()
  /** The lesson in which a wait used up the whole patience. Later waits are short, and blocked. */
  #spentIn: LessonSpec | undefined
  readonly #vain = { known: 0, unknown: 0 }
  /** The components that did not start, with the number of the lesson that answers for them. Each is reported once. */
  readonly #reported = new Set<string>()
  readonly #standsIn: boolean
  /** Why ours did not start in place of a component either. undefined if it did. */
  readonly #replaced = new Map<ComponentName, string | undefined>()

  /**
   * @param open makes the classroom; called for the first outcome that needs it, and again after the last early lesson
   */
  constructor(
    open: (lesson: LessonSpec) => Promise<Classroom>,
    toCard: CardOf,
    {
      stopsAfterFailure = false,
      isEarly = () => false,
      isDemanded = () => false,
      standsIn = false,
    }: LessonRunOptions = {},
  ) {
    this.#open = open
    this.#isEarly = isEarly
    this.#isDemanded = isDemanded
    this.#toCard = toCard
    this.#stopsAfterFailure = stopsAfterFailure
    this.#standsIn = standsIn
  }

  /**
   * Checks one outcome: brings up what it needs, and then runs its body.
   * @throws NotChecked if the outcome is blocked, or this host or subject cannot provide what it needs; otherwise what
   * the body throws
   */
  async check(outcome: OutcomeRun): Promise<void> {
    const { lesson } = outcome
    if (this.#stoppedAt !== undefined && lesson.number > this.#stoppedAt.number) throw blockedBy(this.#stoppedAt)
    try {
      const classroom = await this.#enter(outcome)
      const identifiers = await classroom.subject.identifiers?.()
      if (identifiers !== undefined) outcome.meta.identifiers = identifiers
      if (classroom.interference?.leavesOut(keyOf(outcome)) === true) throw new NotChecked("left out")
      this.#mustBeStarted(classroom, lesson)
      mustAllow(classroom, specOf(outcome).permits)
      try {
        await this.#bringUp(classroom, outcome)
        await this.#run(classroom, outcome)
      } finally {
        const needed = dependenciesOf(lesson.components).map(({ name }) => name)
        const standIns = classroom.subject.standIns?.filter(({ component }) => needed.includes(component)) ?? []
        if (standIns.length > 0) outcome.meta.standIns = standIns
      }
    } catch (error) {
      const isFailure = !(error instanceof NotChecked) || error instanceof Blocked
      if (this.#stopsAfterFailure && isFailure) this.#stoppedAt ??= lesson
      throw error
    }
  }

  async #enter({ lesson, title }: OutcomeRun): Promise<Classroom> {
    if (this.#closedSince !== undefined) throw blockedBy(this.#closedSince)
    if (this.#isOpenEarly && !this.#isEarly(lesson)) {
      await this[Symbol.asyncDispose]()
      this.#opened = undefined
      this.#replaced.clear()
    }
    this.#isOpenEarly = this.#isEarly(lesson)
    const classroom = await (this.#opened ??= this.#open(lesson)).catch((error: unknown) => {
      this.#closedSince = lesson
      throw withoutStack(error)
    })
    const lacks = classroom.lacks(featuresFor(lesson, title))
    if (lacks !== undefined) cannotCheck(lacks)
    return classroom
  }

  /** @throws NotChecked if the learner has not started a lesson that may be left out */
  #mustBeStarted({ subject }: Classroom, lesson: LessonSpec): void {
    if (lesson.isThere === undefined || this.#isDemanded(lesson)) return
    const canEnter = allows(subject.permits, "restart") && subject.canEnter(lesson.number)
    if (!canEnter && !lesson.isThere(subject))
      throw new NotChecked(`not started: there is no ${lesson.sheet?.file ?? `script for lesson ${lessonId(lesson)}`}`)
  }

  /**
   * Starts the components that the outcome needs. If one does not start, the lesson that brings it up fails, and
   * later ones are blocked.
   */
  async #bringUp(classroom: Classroom, { lesson, title, meta }: OutcomeRun): Promise<void> {
    const { after: wanted = lesson.components, machines = lesson.machines ?? {} } = specOf({ lesson, title })
    // What the outcome requires of the machine is there already.
    const after = wanted.filter((name) => canRun(name, classroom.machine))
    const { subject } = classroom
    if (!allows(subject.permits, "restart")) {
      const isDown = subject.parts.some(({ name, isRunning }) => after.includes(name) && !isRunning)
      const isReported = subject.reportsAbsence === true
      if ((isDown && !isReported) || Object.keys(machines).length > 0) mustAllow(classroom, "restart")
      if (!isReported) return
    }
    let machine: MachineName | undefined
    try {
      await this.#ensure(classroom, lesson, after)
      for (const [on, names] of Object.entries(machines)) {
        machine = on as MachineName // The keys of FurtherMachines.
        const there = await classroom.on(on)
        await there.subject.enter(stagesUpTo(lesson))
        await there.subject.ensure(names.filter((name) => canRun(name, there.machine)))
      }
      if (lesson.needsKubeadm === true) await classroom.kubeadm()
    } catch (error) {
      if (error instanceof NotChecked) throw error
      // The component was started and is started again for the next outcome, so nothing is blocked.
      if (hasEnded(error)) {
        meta.card = await this.#cardOf(classroom, keyOf({ lesson, title }), error)
        throw withoutStack(error)
      }
      const failure = error instanceof BlockedError ? error.cause : error
      const culprit =
        (failure instanceof ComponentError
          ? lessonOfFailure(failure.failure, lesson, machine)
          : isOfComponent(error)
            ? lessonAnsweringFor(error.component, lesson, machine)
            : undefined) ?? lesson
      // Lessons that need no further machine can still be checked.
      if (!(failure instanceof ComponentError) && machine === undefined) this.#closedSince = culprit
      const key =
        isOfComponent(error) && failure instanceof ComponentError
          ? reportKey(error.component, culprit, machine)
          : `${culprit.number} ${machine ?? ""}`
      const isNews = !this.#reported.has(key)
      this.#reported.add(key)
      // A lesson that is run alone also reports on the components of earlier lessons.
      if (isNews) {
        const card = await this.#cardOf(classroom, keyOf({ lesson, title }), failure)
        meta.card = culprit.number === lesson.number ? card : { ...card, hintFor: lessonId(culprit) }
      }
      if (culprit.number !== lesson.number || !isNews)
        throw blockedBy(culprit, isOfComponent(error) ? this.#replaced.get(error.component) : undefined)
      throw withoutStack(failure)
    }
  }

  /**
   * Starts components. Ours takes the place of a learner's component that does not start, except in outcomes that are
   * about that component.
   */
  async #ensure(classroom: Classroom, lesson: LessonSpec, names: readonly ComponentName[]): Promise<void> {
    const { subject } = classroom
    for (;;) {
      const error = await subject
        .enter(stagesUpTo(lesson))
        .then(() => subject.ensure(names))
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
      if (error === undefined) return
      if (!isOfComponent(error) || hasEnded(error) || !this.#mayReplace(error.component, lesson)) throw error
      if (subject.standIn === undefined) throw error
      this.#replaced.set(error.component, undefined)
      try {
        await subject.standIn(error.component)
      } catch (ours) {
        this.#replaced.set(error.component, problemOf(ours))
        throw error
      }
    }
  }

  /**
   * Whether ours may take the place of a component in a lesson. A lesson is about the last component that it brings up:
   * lesson 05 brings up containerd, which must have failed there, and is about the kubelet.
   */
  #mayReplace(component: ComponentName, lesson: LessonSpec): boolean {
    const starter = lessonAnsweringFor(component, lesson)
    // Ours would not have what a learner's script changes in a component later.
    if (!this.#standsIn || starter === undefined || starter !== lessonThatStarts(component)) return false
    if (componentSpecOf(component).isProvided === true || this.#replaced.has(component)) return false
    const isAbout = starter.components.at(-1) === component
    return (
      starter.number < lesson.number ||
      (starter === lesson && !isAbout && this.#reported.has(reportKey(component, starter)))
    )
  }

  async #run(
    classroom: Classroom,
    { lesson, title, body, meta, onEvidence, cleanups, lessonEnd }: OutcomeRun,
  ): Promise<void> {
    const { kubernetes } = classroom.subject
    if (kubernetes !== undefined) meta.kubernetes = kubernetes
    await classroom.look()
    const { store, close } = await classroom.store()
    cleanups.add(close)
    const evidence = (line: string) => {
      meta.evidence = line
      onEvidence?.(line)
    }
    try {
      await classroom.interference?.before(keyOf({ lesson, title }))
      await waitingAs(
        {
          outcome: keyOf({ lesson, title }),
          isShort: this.#spentIn !== undefined,
          foresee: (failure) => classroom.foresee(failure),
          foreseeCommand: (failure) => classroom.foresee(failure, "components"),
          isKnown: (finding) => this.#causes.has(causeOf(finding)),
        },
        () => body(kitOf({ lesson, classroom, store, evidence, cleanups, lessonEnd })),
      )
    } catch (thrown) {
      if (thrown instanceof NotChecked) throw thrown
      const [error, certain] = thrown instanceof WaitError ? [thrown.cause, thrown.finding] : [thrown, undefined]
      // A lesson can end a further machine on purpose.
      if (error instanceof MachineEndedError && error.machine === classroom.machine.name) this.#closedSince = lesson
      // If the cluster hangs, each later command times out too. After two such outcomes the rest is blocked.
      if (error instanceof CommandTimeoutError && certain === undefined && ++this.#hung > 1) this.#closedSince = lesson
      if (error instanceof ComponentError)
        this.#reported.add(reportKey(error.component, lessonOfFailure(error.failure, lesson)))
      const card = await this.#cardOf(classroom, keyOf({ lesson, title }), error, certain)
      await classroom.subject.forgetExits().catch(() => undefined) // The machine may have ended.
      if (thrown instanceof WaitError) this.#mayBlock(lesson, thrown, card.finding)
      meta.card = card
      throw error instanceof Error && error.constructor.name === "AssertionError" ? error : withoutStack(error)
    }
  }

  /**
   * An outcome that waits in vain for a cause that a card names already is blocked by that card's lesson. So is one
   * that waits in vain after another wait has used up the whole patience.
   * @throws NotChecked
   */
  #mayBlock(lesson: LessonSpec, { hasTimedOut }: WaitError, finding: Finding | undefined): void {
    const key = finding === undefined ? undefined : causeOf(finding)
    const culprit = (key === undefined ? undefined : this.#causes.get(key)) ?? (hasTimedOut ? this.#spentIn : undefined)
    if (culprit === undefined) {
      if (key !== undefined) this.#causes.set(key, lesson)
      if (hasTimedOut) this.#spentIn = lesson
      return
    }
    const kind = key === undefined ? "unknown" : "known"
    if (hasTimedOut && ++this.#vain[kind] >= VAIN_WAITS[kind]) this.#closedSince ??= culprit
    throw blockedBy(culprit)
  }

  /**
   * The card of an error. A component that did not start was already diagnosed when it failed.
   * @param certain the cause, if a wait has found it
   */
  async #cardOf(
    classroom: Classroom,
    outcome: string,
    error: unknown,
    certain?: Finding,
  ): Promise<NonNullable<TaskMeta["card"]>> {
    const failure = failureOf(error, outcome)
    const standIns = classroom.subject.standIns?.map(({ component }) => component) ?? []
    if (!(error instanceof ComponentError)) {
      const explained = await classroom.explain(failure)
      return this.#toCard(failure, { ...explained, finding: certain ?? explained.finding }, standIns)
    }
    const { finding, unwell } = error
    return this.#toCard(failure, { finding, unwell: finding === undefined ? [unwell] : [] }, standIns)
  }

  /** Removes the machine, if one was made. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#opened?.catch(() => undefined))?.[Symbol.asyncDispose]()
  }
}

/** A component, with the number of the lesson to which its failure belongs. */
function reportKey(component: ComponentName, lesson: LessonSpec | undefined, machine?: MachineName): string {
  return `${lesson?.number} ${component} ${machine ?? ""}`
}

/** The name of an outcome outside of its lesson: "03 a ConfigMap that …". */
function keyOf({ lesson, title }: Pick<OutcomeRun, "lesson" | "title">): string {
  return `${lessonId(lesson)} ${title}`
}

function specOf({ lesson, title }: Pick<OutcomeRun, "lesson" | "title">) {
  const spec = lesson.outcomes[title]
  if (spec === undefined)
    throw new Error(`Lesson ${lessonId(lesson)} has no outcome "${title}". Add it to lib/curriculum/lessons.`)
  return spec
}

function isOfComponent(error: unknown): error is ComponentError | BlockedError {
  return error instanceof ComponentError || error instanceof BlockedError
}

/** Whether a component was ready and has ended, and no lesson has caused that. */
function hasEnded(error: unknown): error is ComponentError {
  return error instanceof ComponentError && error.failure.kind === "component-exited" && error.failure.wasReady === true
}

/** An outcome that was not checked because of an earlier failure. */
class Blocked extends NotChecked {}

/** @param why what else stands in the way */
function blockedBy(lesson: LessonSpec, why?: string): NotChecked {
  return new Blocked(`blocked by lesson ${lessonId(lesson)}${why === undefined ? "" : `; ours does not run: ${why}`}`)
}

/** The error without its stack trace. The trace names only this project's code, which does not help a learner. */
function withoutStack(thrown: unknown): Error {
  const error = new Error(messageOf(thrown))
  error.name = thrown instanceof Error ? thrown.name : "Error"
  error.stack = `${error.name}: ${error.message}`
  return error
}

/** The problem that a finding names, whichever Pod or Node shows it. */
function causeOf({ id, component }: Finding): string {
  return `${component ?? "machine"} ${id}`
}

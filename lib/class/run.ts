import { createHash } from "node:crypto"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { messageOf } from "../base/errors.ts"
import type { Class, HostSource, Participant, Student } from "./class-file.ts"
import { startGrader, ungraded, type Grader, type Position } from "./grader.ts"
import { obtain, type Obtained } from "./obtain.ts"
import type { Row } from "./row.ts"
import type { Store } from "./store.ts"
import { stuckOf } from "./stuck.ts"
import { SubjectError } from "./subject-error.ts"

/** How a class is graded, besides the rules that only concern points. */
export interface Grading {
  /** The module of the grader, which gets a Task. */
  readonly program: string
  /** How many students are graded at the same time. */
  readonly parallel: number
  /** Seconds that the grading of one student may take. */
  readonly limit: number
  readonly standIn: boolean
  /** Whether the interrupted run is continued: what it has finished is not looked at again. */
  readonly isResumed: boolean
  /** Settings for the graders. */
  readonly environment: NodeJS.ProcessEnv
  /** The version of this suite. */
  readonly version: string
  /** Looks at a student's scripts before they are graded, and never rejects. @param obtaining it may reject */
  readonly look?: ((id: string, obtaining: Promise<Obtained>) => Promise<void>) | undefined
}

/** What happens while a class is graded. */
export type ClassEvent =
  | { readonly type: "subject started"; readonly id: string }
  | { readonly type: "subject moved"; readonly id: string; readonly position: Position }
  /** `isKept`: nothing has changed since an earlier run, whose result is taken. */
  | { readonly type: "subject ended"; readonly student: Participant; readonly row: Row; readonly isKept: boolean }

/**
 * Grades the students of a class, some of them at the same time. What one of them does has no effect on the others.
 * @param signal ends the run: the graders are killed, and only what has finished is kept
 * @returns a row for each student, in the order of the class; fewer if the run was ended
 */
export async function gradeClass(
  { students, rules, isIndividual }: Class,
  store: Store,
  grading: Grading,
  tell: (event: ClassEvent) => void,
  signal: AbortSignal,
): Promise<Row[]> {
  const settings = digestOf([
    grading.version,
    rules.isChosen ? rules.lessons : [],
    grading.standIn,
    grading.environment,
    ...(isIndividual ? ["individual"] : []),
  ])
  const lessons = rules.isChosen ? rules.lessons : []
  const rows = new Map<string, Row>()
  const graders = new Set<Grader>()
  const killAll = () => {
    for (const grader of graders) grader.kill()
  }
  signal.addEventListener("abort", killAll)

  const end = (student: Student, ended: Row, isKept: boolean) => {
    const row = isKept ? ended : { ...ended, stuck: stuckOf(ended, store.kept(ended.id)) ?? null }
    if (!isKept) store.keep(row)
    rows.set(student.id, row)
    tell({ type: "subject ended", student, row, isKept })
  }
  /** What the grader looks at; for a host, there are no scripts. */
  const subjectOf = async ({ id, source }: Student): Promise<Given> => {
    if (source.kind === "host") return { subject: source.target, scripts: undefined, environment: settingsFor(source) }
    const obtaining = obtain(source, store.workOf(id), signal)
    await grading.look?.(id, obtaining)
    const scripts = await obtaining
    return { subject: scripts.folder, scripts, environment: {} }
  }
  const grade = async (student: Student) => {
    const { id } = student
    const kept = store.kept(id)
    const isSameWay = kept?.settings === settings
    if (grading.isResumed && isSameWay && kept.run === store.run) return end(student, kept, true)
    const base = { schema: "byhand/class-subject/v1", id, run: store.run, settings } as const
    const work = store.workOf(id)
    try {
      const { subject, scripts, environment } = await subjectOf(student)
      if (signal.aborted) return
      // What a host would show now is not known before it is looked at.
      if (isSameWay && scripts !== undefined && kept.source === scripts.digest && isFinal(kept, grading)) {
        // The same files can come from a later commit.
        const row = { ...kept, ...ofSource(scripts), run: store.run }
        store.keep(row)
        return end(student, row, true)
      }
      tell({ type: "subject started", id })
      mkdirSync(work, { recursive: true, mode: 0o700 })
      const result = join(work, "result.json")
      const grader = startGrader(
        grading.program,
        { subject, student: id, ...(isIndividual && { for: id }), lessons, standIn: grading.standIn, result },
        grading.limit,
        { ...grading.environment, ...environment },
        (position) => tell({ type: "subject moved", id, position }),
      )
      graders.add(grader)
      const outcome = await grader.outcome
      graders.delete(grader)
      // A grader that was killed because the run ends says nothing about the student.
      if (signal.aborted) return
      store.keepLog(id, grader.log())
      end(student, { ...base, ...ofSource(scripts), at: Date.now(), outcome }, false)
    } catch (error) {
      if (signal.aborted) return
      const outcome = ungraded(messageOf(error).split("\n")[0] ?? "", !(error instanceof SubjectError))
      end(student, { ...base, ...ofSource(undefined), at: Date.now(), outcome }, false)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  }

  const waiting = [...students]
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) await grade(next)
  }
  try {
    await Promise.all(Array.from({ length: Math.min(grading.parallel, students.length) }, worker))
  } finally {
    signal.removeEventListener("abort", killAll)
    killAll()
  }
  return students.flatMap(({ id }) => rows.get(id) ?? [])
}

/** What the grader of a student gets. */
interface Given {
  readonly subject: string
  /** undefined for a host. */
  readonly scripts: Obtained | undefined
  readonly environment: NodeJS.ProcessEnv
}

function settingsFor({ sshConfig }: HostSource): NodeJS.ProcessEnv {
  return sshConfig === undefined ? {} : { BYHAND_SSH_CONFIG: sshConfig }
}

/** Whether grading the same scripts again would give the same. More time can give another result. */
function isFinal({ outcome }: Row, { limit }: Grading): boolean {
  return outcome.kind === "graded" || (!outcome.isOurs && (outcome.after === null || outcome.after >= limit))
}

/** @param scripts undefined for a host, and if they could not be obtained */
function ofSource(scripts: Obtained | undefined): Pick<Row, "source" | "commit" | "committed"> {
  const { digest = "", commit = null, committed = null } = scripts ?? {}
  return { source: digest, commit, committed }
}

function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex")
}

// What a test file in tests/ imports: the lessons as data, and everything that a test uses.
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, inject, test as vitestTest, type TestContext } from "vitest"
import { prepareArtifacts, type Artifacts } from "./clusters/artifacts.ts"
import { silentProgress } from "./base/progress-silent.ts"
import { Classroom } from "./curriculum/classroom.ts"
import { Cleanups } from "./curriculum/cleanups.ts"
import { passGate } from "./curriculum/gate.ts"
import type { Kit } from "./curriculum/kit.ts"
import { NotChecked } from "./curriculum/not-checked.ts"
import { LessonRun } from "./curriculum/lesson-run.ts"
import type { LessonSpec } from "./curriculum/lesson-spec.ts"
import { everyComponentOf, lessonId } from "./curriculum/lessons.ts"
import { onComponentEvent } from "./components/component-event.ts"
import { onWait } from "./failures/wait.ts"
import { cardOf } from "./report/card.ts"
import { eventsSent, sendEvent } from "./report/test-process.ts"
import type { Permission } from "./clusters/permission.ts"
import { packageRoot, readSettings } from "./base/settings.ts"

export { expect } from "vitest"
export * from "./curriculum/lessons.ts"
export { keepNewData, putDataBack, replaceData } from "./curriculum/etcd-data.ts"
export { serves } from "./curriculum/serves.ts"
export { cannotCheck } from "./curriculum/not-checked.ts"
export { eventually } from "./curriculum/until.ts"
export { hello } from "./curriculum/pod-hello.ts"
export type { Kit } from "./curriculum/kit.ts"
export { connectionsOf, connectionsTo, listeners, portOf, portsOf } from "./clients/sockets.ts"
export { containerPid } from "./clients/container.ts"
export { paperKubelet } from "./clients/paper-kubelet.ts"
export { tinyScheduler } from "./clients/tiny-scheduler.ts"
export { clientAt, memberOn, membersOf, rolesOf, type Member } from "./curriculum/etcd-cluster.ts"
export { EtcdLoad, LEAST_RATE, STEADY, type Recording as EtcdRecording } from "./curriculum/etcd-load.ts"
export { traceOf } from "./clients/etcd-member.ts"
export { acknowledged, longestGap, writesWithin, type Operation } from "./clients/history.ts"
export { judge, porcupineLacks } from "./clients/porcupine.ts"
export { compared, judgedSheet } from "./curriculum/kubeadm.ts"
export { notRight } from "./kubeadm/sheet.ts"
export type { Topic } from "./kubeadm/inventory.ts"
export { outOfOrder, PHASES, phasesIn, timelineOf } from "./kubeadm/timeline.ts"
export { steadyClients } from "./clients/steady-clients.ts"
export { atomic, bookmarkable, ordered, promisesOf, reliable, resumable, unique } from "./clients/watch-guarantees.ts"
export { steadyProbe } from "./clients/steady-probe.ts"
export { httpGet } from "./clients/http-get.ts"
export { decode, encodingOf } from "./clients/stored.ts"
export { flagOf as settingOf } from "./components/settings/flags.ts"

/** Defines the test of one outcome. The title must be a key of the lesson's outcomes. */
type TestOf<Spec extends LessonSpec> = (
  title: keyof Spec["outcomes"] & string,
  body: (kit: Kit) => Promise<void>,
) => void

const settings = readSettings()

// This process is a worker of vitest. If vitest is killed, the worker gets no signal, and its open connections would
// keep it alive.
process.once("disconnect", () => process.exit(1))

/**
 * The lessons before this one are skipped. byhand watch starts this process before it knows which lesson comes first.
 */
const firstLesson = await passGate(settings)

/** vitest runs the test files one after another in this process, so one machine and one cluster serve all lessons. */
// oxlint-disable-next-line no-empty-pattern -- the pattern names the fixtures that this one needs: none.
const withRun = vitestTest.extend("run", { scope: "worker" }, async ({}, { onCleanup }) => {
  const run = new LessonRun(
    async (lesson) => {
      const preparation = inject("preparation")
      if ("failed" in preparation) throw new Error(preparation.failed)
      const { machine, hostFolder } = preparation
      return Classroom.open(await artifactsFor(lesson), { ...settings, machine }, hostFolder)
    },
    cardOf,
    { stopsAfterFailure: firstLesson > 0, isEarly, isDemanded, standsIn: settings.standIn },
  )
  onCleanup(() => run[Symbol.asyncDispose]())
  return run
})

/** Longer than any build (milliseconds). */
const A_DAY = 86_400_000

const nothing = () => undefined

let all: Promise<Artifacts> | undefined

/** Whether a lesson runs before the artifacts of all lessons are ready, because it needs only those that are. */
function isEarly(spec: LessonSpec): boolean {
  const preparation = inject("preparation")
  if ("failed" in preparation || preparation.ready.length === preparation.all.length) return false
  return [...everyComponentOf(spec), ...(spec.extras ?? [])].every((name) => preparation.ready.includes(name))
}

/** Whether the user has named a lesson on the command line. */
function isDemanded({ number }: LessonSpec): boolean {
  const preparation = inject("preparation")
  return !("failed" in preparation) && preparation.demanded.includes(number)
}

/**
 * Waits for the artifacts that a lesson needs. vitest's own process prepares them, and holds their locks until then.
 */
async function artifactsFor(lesson: LessonSpec): Promise<Artifacts> {
  const preparation = inject("preparation")
  if ("failed" in preparation) throw new Error(preparation.failed)
  if (isEarly(lesson) || preparation.ready.length === preparation.all.length) return preparation.artifacts
  return (all ??= prepareArtifacts(preparation.all, settings, silentProgress))
}

/** vitest's tags for what an outcome needs. */
const TAGS: Readonly<Record<Permission, string[]>> = {
  observe: ["observing"],
  restart: ["disturbing"],
  destroy: ["disturbing", "destroying"],
}

/** The test that runs now. Events of components and waits belong to it. */
let running: TestContext["task"] | undefined
onWait((event) => {
  if (running !== undefined) sendEvent(running, { type: "waiting", ...event })
})
onComponentEvent((event) => {
  if (running !== undefined) sendEvent(running, event)
})

/** A lesson: a test for each of its documented outcomes, in order. */
export function lesson<Spec extends LessonSpec>(spec: Spec, define: (tools: { test: TestOf<Spec> }) => void): void {
  describe.skipIf(spec.number < firstLesson)(`${lessonId(spec)} ${spec.title}`, () => {
    const lessonEnd = new Cleanups()
    // Whether the last test did not pass. The cause is reported already, and it can make the cleanup fail too.
    let isBroken = false
    const unlessBroken = (error: unknown) => {
      if (!isBroken) throw error
    }
    // Not within the time limit of the first test. The test that needs them reports an error.
    beforeAll(() => artifactsFor(spec).then(nothing, nothing), A_DAY)
    afterAll(() => lessonEnd.run().catch(unlessBroken))
    define({
      test: (title, body) => {
        // The default is never used: a title is a key of the outcomes.
        const { see, permits } = (spec.outcomes as LessonSpec["outcomes"])[title] ?? { see: "", permits: "observe" }
        withRun(title, { tags: TAGS[permits], meta: { see } }, async ({ run, skip, task, onTestFinished }) => {
          const cleanups = new Cleanups()
          isBroken = true // Set before the body runs: if the test times out, this function does not end.
          onTestFinished(() => cleanups.run().catch(unlessBroken))
          running = task
          const onEvidence = (line: string) => sendEvent(task, { type: "evidence", line })
          try {
            await run.check({ lesson: spec, title, body, meta: task.meta, onEvidence, cleanups, lessonEnd })
            isBroken = false
          } catch (error) {
            if (error instanceof NotChecked) skip(error.message)
            throw error
          } finally {
            running = undefined
            await eventsSent()
          }
        })
      },
    })
  })
}

/** The text of a manifest in fixtures/manifests. */
export function manifest(name: string): Promise<string> {
  return readFile(join(packageRoot, "fixtures", "manifests", name), "utf8")
}

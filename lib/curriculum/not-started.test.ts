import { expect, test } from "vitest"
import type { Machine } from "../machines/machine.ts"
import type { Part } from "../clusters/part.ts"
import type { Subject } from "../subjects/subject.ts"
import { Classroom } from "./classroom.ts"
import { Cleanups } from "./cleanups.ts"
import { NotChecked } from "./not-checked.ts"
import { LessonRun } from "./lesson-run.ts"
import { networking, pki, resilience } from "./lessons.ts"

/** What a subject must say until a lesson is known to be started. Nothing else of it is used. */
function learner(settings: object, canEnter: boolean, isRunning = false): Subject {
  const part = () => ({ settings, isRunning }) as unknown as Part<never>
  return { permits: "destroy", parts: [], part, canEnter: () => canEnter } as unknown as Subject
}

const machine = { privileged: true, name: "m" } as unknown as Machine

/** The verdict on the first outcome of a lesson, before anything of it runs. */
async function verdictOf(
  subject: Subject,
  lesson: typeof pki | typeof resilience | typeof networking,
  isDemanded = false,
): Promise<string> {
  const classroom = new Classroom({ machine, subject, leave: () => Promise.resolve() })
  const run = new LessonRun(
    () => Promise.resolve(classroom),
    (failure) => ({ failure, observed: failure.kind, unwell: [] }),
    { isDemanded: () => isDemanded },
  )
  const [title = ""] = Object.keys(lesson.outcomes)
  const outcome = { lesson, title, meta: {}, cleanups: new Cleanups(), lessonEnd: new Cleanups() }
  return run.check({ ...outcome, body: () => Promise.resolve() }).then(
    () => "it runs",
    (error: unknown) => (error instanceof NotChecked ? error.message : "it runs"), // The subject cannot go on.
  )
}

const plain = { isTls: false, authorizationModes: ["AlwaysAllow"] }
const NOT_STARTED = "not started: there is no script for lesson 08"

test.each([
  ["without a script and a PKI", plain, false, false, NOT_STARTED],
  ["with TLS to etcd only", { ...plain, isTls: true }, false, false, NOT_STARTED],
  ["with RBAC only", { ...plain, authorizationModes: ["Node", "RBAC"] }, false, false, NOT_STARTED],
  ["with a PKI from the beginning", { isTls: true, authorizationModes: ["Node", "RBAC"] }, false, false, "it runs"],
  ["with a script", plain, true, false, "it runs"],
  ["if the user names the lesson", plain, false, true, "it runs"],
])("lesson 08 %s", async (_, settings, canEnter, isDemanded, expected) => {
  expect(await verdictOf(learner(settings, canEnter), pki, isDemanded)).toBe(expected)
})

test.each([
  ["without a script and kube-proxy", false, false, "not started: there is no script for lesson 10"],
  ["with kube-proxy from the beginning", false, true, "it runs"],
  ["with a script", true, false, "it runs"],
])("lesson 10 %s", async (_, canEnter, isRunning, expected) => {
  expect(await verdictOf(learner(plain, canEnter, isRunning), networking)).toBe(expected)
})

test("a lesson that cannot be left out runs without a script", async () => {
  expect(await verdictOf(learner(plain, false), resilience)).toBe("it runs")
})

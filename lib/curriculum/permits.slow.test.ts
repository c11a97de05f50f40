import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { etcdctlEnvironment } from "../components/etcd.ts"
import { Cluster } from "../clusters/cluster.ts"
import type { Permission } from "../clusters/permission.ts"
import type { Machine } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { Classroom } from "./classroom.ts"
import { Cleanups } from "./cleanups.ts"
import type { Kit } from "./kit.ts"
import { NotChecked } from "./not-checked.ts"
import { LessonRun } from "./lesson-run.ts"
import type { LessonSpec } from "./lesson-spec.ts"
import { lessonId, lessons, stagesUpTo, testFileOf, titlesOf } from "./lessons.ts"

/** A test as its lesson defines it. */
interface Defined {
  readonly lesson: LessonSpec
  readonly title: string
  readonly body: (kit: Kit) => Promise<void>
}

let place: Workplace
let machine: Machine
beforeAll(async () => {
  const { binds } = await artifacts()
  place = await workplace()
  machine = (await startSandbox({ name: place.name, binds, settings: place.settings })).machine
}, 600_000)
afterAll(async () => {
  await machine.close()
  await place[Symbol.asyncDispose]()
})

/** The tests of all lessons, as the files in tests/ define them. */
async function readTests(): Promise<Defined[]> {
  const found: Defined[] = []
  vi.doMock("../lesson.ts", async (original) => ({
    ...(await original<object>()),
    lesson: (lesson: LessonSpec, define: (tools: { test: (title: string, body: Defined["body"]) => void }) => void) =>
      define({ test: (title, body) => found.push({ lesson, title, body }) }),
  }))
  for (const lesson of lessons) await import(testFileOf(lesson))
  return found
}

/** How etcdctl reaches the cluster of the first test, which keeps running. */
let environment: Record<string, string> = {}

let defined: Promise<Defined[]> | undefined

/** Runs all lessons on a cluster, and returns the verdict on each outcome. */
async function verdictsOn(cluster: Cluster): Promise<Map<string, string>> {
  const verdicts = new Map<string, string>()
  const run = new LessonRun(
    () => Promise.resolve(new Classroom({ machine, subject: cluster, leave: () => Promise.resolve() })),
    (failure) => ({ failure, observed: failure.kind, unwell: [] }),
  )
  for (const { lesson, title, body } of await (defined ??= readTests())) {
    const cleanups = new Cleanups()
    const lessonEnd = new Cleanups()
    const verdict = await run.check({ lesson, title, body, meta: {}, cleanups, lessonEnd }).then(
      () => "passed",
      (error: unknown) => (error instanceof NotChecked ? error.message : `failed: ${String(error)}`),
    )
    await cleanups.run()
    await lessonEnd.run()
    verdicts.set(`${lessonId(lesson)} ${title}`, verdict)
  }
  return verdicts
}

/**
 * What must be the same before and after: processes of components and containers, etcd's folder, and all objects
 * except those that are renewed all the time.
 */
async function state(env: Record<string, string>): Promise<object> {
  const look = async (line: string) =>
    (await machine.run(["sh", "-ec", line], { env })).stdout.trim().split("\n").toSorted()
  return {
    processes: await look(
      "ps -e -o pid=,comm= | grep -E ' (etcd|kube-apiserver|kube-scheduler|kube-controller|kubelet|containerd|crane|nginx|containerd-shim)'",
    ),
    dataFolder: await look("stat -c '%i %n' /var/lib/etcd /var/lib/etcd/member /var/lib/etcd* /tmp /tmp/*"),
    keys: await look("etcdctl get / --prefix --keys-only | grep -v -e ^$ -e /events/ -e /leases/ -e /masterleases/"),
    pods: await look("kubectl get pods -A -o jsonpath='{.items[*].metadata.uid} {.items[*].status.containerStatuses}'"),
  }
}

test("a subject that permits only observing is not changed by any lesson", { timeout: 600_000 }, async () => {
  const { images } = await artifacts()
  const cluster = new Cluster({ machine, images, patience: 120_000, permits: "observe" })
  const last = lessons.at(-1)
  if (last !== undefined) await cluster.enter(stagesUpTo(last))
  await cluster.up()
  await machine.run([
    "sh",
    "-ec",
    `until kubectl run hello --image=nginx; do sleep 0.2; done
kubectl create configmap demo --from-literal=k=v
until kubectl get pods -A -o name | grep -q coredns; do sleep 0.2; done
kubectl wait pods --all -A --for=condition=Ready --timeout=120s # What still becomes ready would look like a change.`,
  ])
  environment = etcdctlEnvironment(cluster.part("etcd").settings, {})
  const before = await state(environment)

  const verdicts = await verdictsOn(cluster)
  const needs: Readonly<Record<Permission, string>> = {
    observe: "passed",
    restart: "cannot check here: needs --allow restart",
    destroy: "cannot check here: needs --allow destroy",
  }
  const expected = lessons.flatMap((lesson) =>
    titlesOf(lesson).map((title) => [
      `${lessonId(lesson)} ${title}`,
      // A cluster has no table, unless its owner has filled one in.
      lesson.sheet === undefined
        ? needs[lesson.outcomes[title]?.permits ?? "observe"]
        : `not started: there is no ${lesson.sheet.file}`,
    ]),
  )
  expect(Object.fromEntries(verdicts)).toEqual(Object.fromEntries(expected))
  expect(await state(environment)).toEqual(before)
})

test("a component that does not run is not started", { timeout: 600_000 }, async () => {
  const cluster = new Cluster({ machine, images: undefined, patience: 120_000, permits: "observe" })
  const before = await state(environment)
  expect(new Set((await verdictsOn(cluster)).values())).toEqual(
    new Set([
      "cannot check here: needs --allow restart",
      "cannot check here: needs --allow destroy",
      // Nothing runs that could have what these lessons add.
      ...lessons
        .filter(({ isThere }) => isThere !== undefined)
        .map((lesson) => `not started: there is no ${lesson.sheet?.file ?? `script for lesson ${lessonId(lesson)}`}`),
    ]),
  )
  expect(await state(environment)).toEqual(before)
})

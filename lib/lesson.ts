import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, inject, test as vitestTest, type TaskMeta, type TestContext } from "vitest"
import { Classroom } from "./curriculum/classroom.ts"
import { lessonOf as lessonOfComponent, neededBy } from "./curriculum/needs.ts"
import { answers as answersWithin } from "./clients/answers.ts"
import type { Command } from "./clients/command.ts"
import type { EtcdClient } from "./clients/etcd.ts"
import type { Kubernetes } from "./clients/kubernetes.ts"
import { decode } from "./clients/stored.ts"
import { BlockedError, ComponentError } from "./clusters/errors.ts"
import { describe as described } from "./failures/describe.ts"
import { failureOf } from "./failures/thrown.ts"
import { messageOf } from "./base/errors.ts"
import { httpGet } from "./clients/http-get.ts"
import type { Part } from "./clusters/part.ts"
import type { Subject } from "./subjects/subject.ts"
import type { Access } from "./components/discovery/access.ts"
import type { Address, EtcdAddress, KubeletAddress } from "./components/discovery/addresses.ts"
import { onComponentEvent } from "./components/component-event.ts"
import { settingOf } from "./components/discovery/process.ts"
import { CommandTimeoutError, MachineError } from "./machines/agent-machine.ts"
import type { Machine } from "./machines/machine.ts"
import { expectation, type Card } from "./report/card.ts"
import { eventsSent, sendEvent } from "./report/test-process.ts"
import { packageRoot, readSettings } from "./base/settings.ts"

export { expect } from "vitest"
export { connectionsOf, connectionsTo, listeners } from "./clients/sockets.ts"
export { containerPid } from "./clients/container.ts"
export { tinyScheduler } from "./clients/tiny-scheduler.ts"
export { steadyProbe } from "./clients/steady-probe.ts"
export { httpGet } from "./clients/http-get.ts"
export { decode, encodingOf } from "./clients/stored.ts"
export { settingOf } from "./components/discovery/process.ts"

/** What a test works with. */
export interface Kit {
  readonly machine: Machine
  /** The cluster that is graded. */
  readonly subject: Subject
  readonly etcd: Part
  readonly apiserver: Part
  readonly scheduler: Part
  readonly containerd: Part
  readonly kubelet: Part
  /** Where they listen, as they were told themselves. */
  readonly at: {
    readonly etcd: EtcdAddress
    readonly apiserver: Address
    readonly kubelet: () => Promise<KubeletAddress>
  }
  /** The folder of the Pods' network configuration, as containerd was told. */
  readonly cniFolder: () => Promise<string>
  /** The name of the Node that this machine is; until a kubelet runs, the one that it would have by itself. */
  readonly node: () => string
  readonly kubectl: Command
  readonly etcdctl: Command
  readonly etcdutl: Command
  readonly ctr: Command
  readonly sh: Command
  /** The Kubernetes API, typed. */
  readonly kubernetes: () => Promise<Kubernetes>
  /** How an administrator gets in. */
  readonly access: () => Promise<Access>
  /** The status with which kube-apiserver answers a request, by its token. */
  readonly ask: (path: string, token?: string) => Promise<number>
  /** etcd's own API; a new client for each test. */
  readonly store: EtcdClient
  /** The object at a key of etcd, as JSON, however it is encoded there; undefined where there is none. */
  readonly stored: (key: string) => Promise<unknown>
  /** In values, so that no answer can have been written beforehand. */
  readonly nonce: string
  /** Keeps a line of what was seen for the report. */
  readonly evidence: (line: string) => void
}

export interface OutcomeOptions {
  /** What to type on the machine to see the same; `npx byhand up` and `npx byhand shell` lead there. */
  readonly see: string
  /** Whether it acts on the cluster and then puts things back; one that only observes may run at any moment. */
  readonly disturbs?: boolean
  /** The lesson up to which components must stand before it; its own by default. */
  readonly upTo?: number
}

type Skip = TestContext["skip"]
type Outcome = (title: string, options: OutcomeOptions, body: (kit: Kit) => Promise<void>) => void

const settings = readSettings()

// Where vitest is killed nobody tells this process, its worker, to end; what it has open would keep it alive.
process.once("disconnect", () => process.exit(1))

/** One machine and one cluster for all lessons: vitest runs the files one after another in this process. */
// oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which other fixtures this one needs: none.
const room = vitestTest.extend("classroom", { scope: "worker" }, async ({}, { onCleanup }) => {
  let opened: Promise<Classroom> | undefined
  onCleanup(async () => {
    await (await opened?.catch(() => undefined))?.[Symbol.asyncDispose]()
  })
  return () => (opened ??= open())
})

async function open(): Promise<Classroom> {
  const preparation = inject("preparation")
  if ("failed" in preparation) throw new Error(preparation.failed)
  return Classroom.open(preparation.artifacts, { ...settings, machine: preparation.machine })
}

/** The lesson in which the machine was not to be had, or not to be trusted, any more: whatever comes later is blocked by it. */
let closedSince: number | undefined

/** The test that runs now; what components report meanwhile belongs to it. */
let running: TestContext["task"] | undefined
onComponentEvent((event) => {
  if (running !== undefined) sendEvent(running, event)
})

/** Tests in which a command did not end. */
let hung = 0

/** The lessons of whose components it has been said why they did not come up: once is enough. */
const told = new Set<number>()

/** A lesson: its number, its title, and its documented outcomes in order. */
export function lesson(number: number, title: string, define: (tools: { test: Outcome }) => void): void {
  const test: Outcome = (outcome, { see, disturbs = false, upTo = number }, body) => {
    room(
      outcome,
      { tags: [disturbs ? "disturbing" : "observing"], meta: { see } },
      async ({ classroom: open, skip, task }) => {
        running = task
        try {
          const classroom = await enter(open, number, skip)
          await bringUp(classroom, number, upTo, task.meta, skip)
          await run(classroom, number, outcome, task.meta, body)
        } finally {
          running = undefined
          await eventsSent()
        }
      },
    )
  }
  describe(`${twoDigits(number)} ${title}`, () => define({ test }))
}

async function enter(open: () => Promise<Classroom>, number: number, skip: Skip): Promise<Classroom> {
  if (closedSince !== undefined) skip(blockedBy(closedSince))
  const classroom = await open().catch((error: unknown) => {
    closedSince = number
    throw withoutStack(error)
  })
  if (!classroom.canRun(number)) skip(`cannot check here: ${classroom.machine.lacks ?? ""}`)
  return classroom
}

/** Where a component does not come up, its own lesson fails, and whatever stands on it is blocked. */
async function bringUp(classroom: Classroom, number: number, upTo: number, meta: TaskMeta, skip: Skip): Promise<void> {
  try {
    await classroom.subject.ensure(neededBy(upTo))
  } catch (error) {
    const failure = error instanceof BlockedError ? error.cause : error
    const culprit = lessonToBlame(error) ?? number
    if (!(failure instanceof ComponentError)) closedSince = culprit
    const isNews = !told.has(culprit)
    told.add(culprit)
    // A lesson that is run alone tells of what it stands on, too.
    if (isNews) meta.card = await cardOf(classroom, failure)
    if (culprit !== number || !isNews) skip(blockedBy(culprit))
    throw withoutStack(failure)
  }
}

async function run(
  classroom: Classroom,
  number: number,
  outcome: string,
  meta: TaskMeta,
  body: (kit: Kit) => Promise<void>,
): Promise<void> {
  const { subject, machine, kubectl, etcdctl, etcdutl, ctr, sh, nonce } = classroom
  const etcd = subject.part("etcd")
  const apiserver = subject.part("kube-apiserver")
  const scheduler = subject.part("kube-scheduler")
  const containerd = subject.part("containerd")
  const kubelet = subject.part("kubelet")
  await classroom.look()
  const { store, close } = await classroom.store()
  try {
    await classroom.interference?.before(`${twoDigits(number)} ${outcome}`)
    await body({
      machine,
      subject,
      etcd,
      apiserver,
      scheduler,
      containerd,
      kubelet,
      kubectl,
      etcdctl,
      etcdutl,
      ctr,
      sh,
      store,
      nonce,
      at: {
        get etcd() {
          return classroom.etcdAddress
        },
        get apiserver() {
          return classroom.apiserverAddress
        },
        kubelet: () => classroom.kubeletAddress(),
      },
      node: () => settingOf(kubelet, "--hostname-override") ?? machine.name,
      cniFolder: () => classroom.cniFolder(),
      kubernetes: () => classroom.kubernetes(),
      access: () => classroom.access(),
      ask: async (path, token) => {
        const { ca } = await classroom.access()
        return (
          await httpGet(machine, { ...classroom.apiserverAddress, path, ca, ...(token === undefined ? {} : { token }) })
        ).status
      },
      stored: async (key) => {
        const state = await store.get(key)
        return state && decode(state.bytes)
      },
      evidence: (line) => {
        meta.evidence = line
        if (running !== undefined) sendEvent(running, { type: "evidence", line })
      },
    })
  } catch (error) {
    if (error instanceof MachineError && error.code === "EPIPE") closedSince = number // It has ended.
    // What stands on a cluster that hangs, hangs too: two of its tests are enough to wait for.
    if (error instanceof CommandTimeoutError && ++hung > 1) closedSince = number
    if (error instanceof ComponentError) told.add(number).add(lessonToBlame(error) ?? number)
    meta.card = await cardOf(classroom, error)
    throw error instanceof Error && error.constructor.name === "AssertionError" ? error : withoutStack(error)
  } finally {
    await close()
  }
}

/** What a learner is told; a component that did not come up has been looked into already. */
async function cardOf(classroom: Classroom, error: unknown): Promise<Card> {
  const told = expectation(error)
  if (error instanceof ComponentError)
    return {
      observed: described(error.failure),
      finding: error.finding,
      unwell: error.finding === undefined ? [error.unwell] : [],
    }
  return { ...told, ...(await classroom.explain(failureOf(error), messageOf(error))) }
}

/** The lesson that brings up the component that an error tells of. */
function lessonToBlame(error: unknown): number | undefined {
  return error instanceof ComponentError || error instanceof BlockedError
    ? lessonOfComponent(error.component)
    : undefined
}

function blockedBy(lesson: number): string {
  return `blocked by lesson ${twoDigits(lesson)}`
}

function twoDigits(lesson: number): string {
  return String(lesson).padStart(2, "0")
}

/** What went wrong, without the lines of our code in which it came up: they tell a learner nothing. */
function withoutStack(thrown: unknown): Error {
  const error = new Error(messageOf(thrown))
  error.name = thrown instanceof Error ? thrown.name : "Error"
  error.stack = `${error.name}: ${error.message}`
  return error
}

/** The text of a manifest in fixtures/manifests. */
export function manifest(name: string): Promise<string> {
  return readFile(join(packageRoot, "fixtures", "manifests", name), "utf8")
}

/** Waits until a web server on the machine answers with 200, or patience has run out. */
export function answers(machine: Machine, host: string, port: number): Promise<void> {
  return answersWithin(machine, host, port, settings.patience)
}

/** Asks until the answer is right or patience has run out; for what becomes true a moment later. */
export function eventually<T>(ask: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> {
  return expect.poll(ask, { timeout: settings.patience, interval: 40 })
}

import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { allTools } from "../binaries/versions.ts"
import type { Reporter, TestSpecification } from "vitest/node"
import { messageOf, problemOf, UsageError } from "../base/errors.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import type { Progress } from "../base/progress.ts"
import type { Settings } from "../base/settings.ts"
import { backgroundProgress } from "../base/progress-background.ts"
import { extras, prepareArtifacts, type Artifacts, type Needed } from "../clusters/artifacts.ts"
import { componentNames, dependenciesOf } from "../components/registry.ts"
import { everyComponentOf, lessonId, lessonOf, lessons } from "../curriculum/lessons.ts"
import type { LessonSpec } from "../curriculum/lesson-spec.ts"
import { readFolder } from "../subjects/folder.ts"
import type { Preparations } from "./test-process.ts"
import { makeRunsDir } from "../machines/admission.ts"
import { loginTo, type HostLogin } from "../machines/host/login.ts"
import { parseHostTarget } from "../machines/host/target.ts"
import { chooseProvider } from "../machines/providers.ts"
import { emptyResultFile } from "./result-file.ts"
import { targetsFor } from "./targets.ts"

/**
 * Before the first lesson starts: prepares the machine and the binaries that the chosen lessons need, with progress on
 * standard error, and hands them to the test process. It is a reporter because vitest passes the chosen files
 * to reporters only. byhandPlugin adds it to every run, whichever reporters the user names.
 */
export class Preparation implements Reporter {
  readonly #settings: Settings
  readonly #onRefused: ((reason: string) => Promise<void>) | undefined
  #login: HostLogin | undefined

  /** @param onRefused gets the reason if the host that is graded cannot be reached; then this process exits */
  constructor(settings: Settings, onRefused?: (reason: string) => Promise<void>) {
    this.#settings = settings
    this.#onRefused = onRefused
  }

  async onTestRunStart(specifications: readonly TestSpecification[]): Promise<void> {
    const settings = this.#settings
    try {
      for (const { file, given } of targetsFor(settings)) if (file !== undefined) emptyResultFile(file, given)
      makeRunsDir(settings)
    } catch (error) {
      process.stderr.write(`${messageOf(error)}\n`)
      process.exit(error instanceof UsageError ? 2 : 1)
    }
    this.#login = await this.#toHost()
    const chosen = specifications.map(({ moduleId }) => lessonOf(moduleId)).filter((lesson) => lesson !== undefined)
    const preparation = await prepare(settings, chosen, this.#login?.folder).catch((error: unknown) => ({
      failed: messageOf(error),
    }))
    for (const { project } of specifications) project.provide("preparation", preparation)
  }

  async onTestRunEnd(): Promise<void> {
    await this.#login?.[Symbol.asyncDispose]()
  }

  /** Logs in to the host that is graded. ssh can ask a person here, before the output of the lessons begins. */
  async #toHost(): Promise<HostLogin | undefined> {
    const { host, sshConfig } = this.#settings
    if (host === undefined) return undefined
    try {
      return await loginTo(parseHostTarget(host, sshConfig), this.#settings)
    } catch (error) {
      await this.#onRefused?.(problemOf(error))
      process.stderr.write(`${messageOf(error)}\n`)
      return process.exit(error instanceof UsageError ? 2 : 1)
    }
  }
}

/** The components with which our own clients of a host come: kubectl and etcdctl. */
const OF_HOST: readonly Needed[] = ["kube-apiserver"]

/** Prepares the clients with which a running host is looked at. */
export function prepareForHost(settings: Settings, progress: Progress): Promise<Artifacts> {
  return prepareArtifacts(OF_HOST, settings, progress)
}

/** Milliseconds after which the first lesson begins although the programs of later lessons are not ready. */
const SOON = 2_000

/**
 * Prepares the machine and the artifacts. If those of the later lessons take long, they are prepared in the background
 * while the first lesson runs. The test process waits for them by the locks of the cache.
 */
async function prepare(
  settings: Settings,
  chosen: readonly LessonSpec[],
  hostFolder: string | undefined,
): Promise<Preparations> {
  const progress = terminalProgress()
  const demanded = chosen.length < lessons.length ? chosen.map(({ number }) => number) : []
  if (hostFolder !== undefined) {
    const artifacts = await prepareForHost(settings, progress)
    return { machine: "sandbox", all: OF_HOST, ready: OF_HOST, artifacts, demanded, hostFolder }
  }
  const provider = await chooseProvider(settings)
  await provider.prepare(progress)
  // A learner's scripts can start any component, whichever lessons are graded.
  const all = settings.subject === undefined ? [...new Set(chosen.flatMap(neededFor))] : [...componentNames, ...extras]
  const first = chosen.toSorted((a, b) => a.number - b.number)[0]
  const machine = provider.kind
  if (first === undefined || !(await mayBeginEarly(settings, first)))
    return { machine, all, ready: all, artifacts: await prepareArtifacts(all, settings, progress), demanded }
  const artifacts = await prepareArtifacts(neededFor(first), settings, progress)
  const title = `Preparing what lesson ${lessonId(first)} does not need`
  const whole = prepareArtifacts(all, settings, backgroundProgress(title))
  whole.catch(() => undefined) // The test process meets the same error, and reports it.
  const soon = await Promise.race([whole, sleep(SOON, undefined, { ref: false })])
  return soon === undefined
    ? { machine, all, ready: neededFor(first), artifacts, demanded }
    : { machine, all, ready: all, artifacts: soon, demanded }
}

function neededFor(lesson: LessonSpec): Needed[] {
  return [...everyComponentOf(lesson), ...(lesson.extras ?? [])]
}

/**
 * Whether the first lesson can run with the programs of its own components only, on a machine that is replaced after
 * it. A learner's scripts must not name another program.
 */
async function mayBeginEarly({ subject, run, keep }: Settings, first: LessonSpec): Promise<boolean> {
  if (run !== undefined || keep !== undefined) return false
  if (subject === undefined) return true
  const own = dependenciesOf(first.components).flatMap(({ tools }) => tools)
  const { files, scripts } = await readFolder(subject)
  const later = scripts.filter(({ number }) => number > first.number).map(({ name }) => name)
  const texts = await Promise.all(
    files
      .filter(({ name }) => !later.includes(name) && !/^(etc|\.github)\/|\.(md|json)$/.test(name))
      .map(({ name }) => readFile(join(subject, name), "utf8")),
  )
  const others = allTools.filter((tool) => !own.includes(tool))
  return !texts.some((text) => others.some((tool) => new RegExp(String.raw`(?<![\w-])${tool}(?![\w-])`).test(text)))
}

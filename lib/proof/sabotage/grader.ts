// A process that proves one sabotage after another, so that Node.js and vitest are loaded once for many of them.
// main.ts starts it and sends it tasks (see tasks.ts). Each task has its own machine, cluster and vitest worker. Only
// loaded
// code is shared between tasks.
import { performance } from "node:perf_hooks"
import { messageOf } from "../../base/errors.ts"
import { silentProgress } from "../../base/progress-silent.ts"
import { readSettings } from "../../base/settings.ts"
import { examineCluster } from "../../cli/doctor.ts"
import { Cluster } from "../../clusters/cluster.ts"
import { prepareArtifacts } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { chooseProvider } from "../../machines/providers.ts"
import type { Machine } from "../../machines/machine.ts"
import { lessonId, lessons as curriculum, testFileOf } from "../../curriculum/lessons.ts"
import type { RunResult } from "../../report/result.ts"
import { runLessons } from "../../report/run-lessons.ts"
import type { ByhandOptions } from "../../report/vitest-plugin.ts"
import { sabotageOf } from "./all.ts"
import { bring } from "./brought.ts"
import { workFolder } from "./recordings.ts"
import type { Sabotage } from "./sabotage.ts"
import { Stopwatch } from "./stopwatch.ts"
import { testResultsOf, type Answer, type Examination, type Task } from "./tasks.ts"

/** The folder for recordings, with one folder for each sabotage. Undefined if no observation is recorded. */
const recordings = process.env["BYHAND_RECORD"]
delete process.env["BYHAND_RECORD"]

process.on("message", (task: Task) => {
  void (task.kind === "lessons" ? gradeLessons(task) : examineAll(task.sabotages)).then((answer: Answer) =>
    process.send?.(answer),
  )
})
process.once("disconnect", () => process.exit())

async function gradeLessons({
  sabotage,
  lessons,
  subject,
  endsAtFailure,
}: Extract<Task, { kind: "lessons" }>): Promise<Answer> {
  // The environment passes the settings to the lessons, as for `byhand grade`.
  if (sabotage === undefined) delete process.env["BYHAND_SABOTAGE"]
  else process.env["BYHAND_SABOTAGE"] = sabotage
  if (sabotage === undefined || recordings === undefined) delete process.env["BYHAND_RECORD"]
  else process.env["BYHAND_RECORD"] = workFolder(recordings, { id: sabotage })
  if (subject === undefined) delete process.env["BYHAND_SUBJECT"]
  else process.env["BYHAND_SUBJECT"] = subject
  let result: RunResult | undefined
  const stopwatch = new Stopwatch()
  const options: ByhandOptions = {
    reader: (event) => {
      stopwatch.read(event)
      if (event.type === "run ended") result = event.result
    },
  }
  try {
    const chosen = curriculum.filter((lesson) => lessons.length === 0 || lessons.includes(lessonId(lesson)))
    const vitest = await runLessons(chosen.map(testFileOf), options, endsAtFailure === true ? 1 : 0)
    await vitest.close()
    const { lessons: graded, errors } = result ?? { lessons: [], errors: [] }
    return {
      kind: "lessons",
      toCard: stopwatch.toCard,
      errors: [...errors, ...(graded.length === 0 ? ["No lesson was run."] : [])],
      tests: testResultsOf(graded),
    }
  } catch (error) {
    return { kind: "lessons", tests: [], errors: [messageOf(error)], toCard: undefined }
  } finally {
    process.exitCode = 0 // vitest sets the exit code when a test fails. Here a failed test is the predicted result.
  }
}

/**
 * Examines clusters with one sabotage each. The next sabotage uses the same cluster if the sabotage before it can be
 * undone and the doctor then finds nothing. So each finding comes from the current sabotage.
 */
async function examineAll(ids: readonly string[]): Promise<Answer> {
  delete process.env["BYHAND_SABOTAGE"]
  delete process.env["BYHAND_RECORD"]
  const examined: Examination[] = []
  let cluster: Machine | undefined
  try {
    for (const sabotage of ids.length === 0 ? [undefined] : ids.map(sabotageOf)) {
      const began = performance.now()
      const note = (findings: readonly string[], errors: readonly string[]) =>
        examined.push({ sabotage: sabotage?.id, findings, errors, seconds: (performance.now() - began) / 1000 })
      try {
        const needsNew = sabotage?.component !== undefined || sabotage?.brings !== undefined
        if (cluster !== undefined && (needsNew || (await findingsOf(cluster)).length > 0)) {
          await cluster.close()
          cluster = undefined
        }
        cluster ??= await startCluster(sabotage)
        if (sabotage?.script !== undefined) await runScript(cluster, sabotage.script)
        const findings = await findingsOf(cluster, sabotage)
        if (sabotage?.undo !== undefined) {
          await runScript(cluster, sabotage.undo)
          note(findings, [])
          continue // The next sabotage can use this cluster.
        }
        note(findings, [])
      } catch (error) {
        note([], [messageOf(error)])
      }
      await cluster?.close()
      cluster = undefined
    }
  } finally {
    await cluster?.close()
  }
  return { kind: "doctor", examined }
}

/** Starts a cluster with a ready Node, as `byhand up` does, with the components that the sabotage changes. */
async function startCluster(sabotage: Sabotage | undefined): Promise<Machine> {
  const settings = readSettings()
  const provider = await chooseProvider(settings)
  await provider.prepare(silentProgress)
  const { binds, images } = await prepareArtifacts(componentNames, settings, silentProgress)
  const { machine } = await provider.start({ name: "sabotage", binds })
  try {
    if (sabotage?.brings !== undefined) await bring(machine, sabotage.brings, settings)
    const cluster = new Cluster({
      machine,
      images,
      // kube-proxy waits up to 30 s for an address of its Node. A sabotage can take that address away.
      patience: 2 * settings.patience,
      alter: (component) => sabotage?.component?.[component.name]?.(component) ?? component,
    })
    await cluster.up()
    await runScript(
      machine,
      `for i in $(seq ${Math.ceil((2 * settings.patience) / 100)}); do
  kubectl get nodes --no-headers 2>/dev/null | grep -q ' Ready' && exit 0
  sleep 0.1
done
echo 'The Node did not become ready in time.'
exit 1`,
    )
    return machine
  } catch (error) {
    await machine.close()
    throw error
  }
}

async function runScript(machine: Machine, script: string): Promise<void> {
  const { exitCode, stdout, stderr } = await machine.run(["sh", "-ec", script])
  if (exitCode !== 0) throw new Error(`A script ended with status ${exitCode}: ${stderr.trim() || stdout.trim()}`)
}

/**
 * The result of `byhand doctor` for a cluster: the ids of the findings, and the unhealthy components for which there is
 * no finding.
 * @param sabotage the sabotage whose observation is recorded, if recordings are made
 */
async function findingsOf(machine: Machine, sabotage?: Sabotage): Promise<string[]> {
  const record = sabotage === undefined || recordings === undefined ? undefined : workFolder(recordings, sabotage)
  const { findings, unwell } = await examineCluster({ name: "sabotage", machine }, false, record)
  return [...new Set([...findings.map(({ id }) => id), ...unwell.map(({ name }) => `(${name} is not healthy)`)])]
}

import { EOL } from "node:os"
import { paint } from "../base/colour.ts"
import { diagnose, unwell } from "../diagnosis/diagnose.ts"
import type { Finding, Unwell } from "../failures/finding.ts"
import type { MachineName } from "../machines/network.ts"
import { lookAt } from "./look.ts"
import { record as recordObservation } from "../diagnosis/record.ts"
import { examine, type Examined } from "../diagnosis/host/doctor.ts"
import { findingLines, unwellLines } from "../report/card.ts"
import { standardOutput } from "../report/terminal.ts"
import { featuresOfLesson, lessonId, lessons } from "../curriculum/lessons.ts"
import type { Settings } from "../base/settings.ts"
import { settingsOf, typed, type CommonOptions, type Outcome } from "./options.ts"
import { allRuns, hasKubeconfig, theRun, type Run } from "./runs.ts"
import { table } from "../base/table.ts"

const COLOUR = {
  ok: "green",
  limited: "yellow",
  missing: "red",
  optional: "gray",
  unknown: "gray",
} as const satisfies Record<Examined["verdict"], string>

/** What is wrong with a running cluster. */
export interface Diagnosis {
  readonly cluster: string
  /** The further machine that was examined; undefined for the first. */
  readonly machine?: MachineName
  readonly runsNothing: boolean
  readonly findings: readonly Finding[]
  /** Components that are not well and that no finding explains. */
  readonly unwell: readonly Unwell[]
}

/**
 * Reports what this host can run and why, and what is wrong with each running cluster. With --name, it reports on
 * that cluster only.
 */
export async function doctor(options: CommonOptions): Promise<Outcome> {
  const settings = settingsOf(options)
  const host = options.name === undefined ? await examineHost(settings) : { text: "", data: {}, exitCode: 0 }
  const runs = options.name === undefined ? await allRuns(settings) : [await theRun(settings, options)]
  const diagnoses = (await Promise.all(runs.map((run) => examineAll(run, settings.record)))).flat()
  return {
    text: [host.text, ...diagnoses.map(describe)].filter((text) => text !== "").join(EOL),
    data: {
      ...host.data,
      findings: diagnoses.flatMap(({ cluster, findings }) => findings.map((finding) => ({ cluster, ...finding }))),
      unwell: diagnoses.flatMap(({ cluster, unwell: components }) =>
        components.map((component) => ({ cluster, ...component })),
      ),
    },
    exitCode: host.exitCode !== 0 || diagnoses.some((one) => !isWell(one)) ? 1 : 0,
  }
}

function isWell({ findings, unwell: components }: Diagnosis): boolean {
  return findings.length === 0 && components.length === 0
}

/** Diagnoses all machines of a running cluster. On a further machine, the components that run must be well. */
async function examineAll(run: Run, recordings: string | undefined): Promise<Diagnosis[]> {
  const { name, network } = run
  const further = await network.running()
  return Promise.all([
    hasKubeconfig(run.folder).then((has) => examineCluster(run, !has, recordings)),
    ...further.map(async (machine) => ({
      ...(await examineCluster({ name, machine: await network.machine(machine) }, true, recordings)),
      machine,
    })),
  ])
}

/**
 * Diagnoses a running cluster in the same way as a lesson that fails.
 * @param isEmpty whether it was started empty, so that no component is expected to run
 * @param recordings the folder that the observation is recorded in; it is not recorded by default
 */
export async function examineCluster(
  { name, machine }: Pick<Run, "name" | "machine">,
  isEmpty = false,
  recordings?: string,
): Promise<Diagnosis> {
  const seen = await lookAt(machine, isEmpty)
  if (recordings !== undefined) recordObservation(recordings, seen)
  const findings = diagnose(seen)
  return {
    cluster: name,
    runsNothing: seen.components.every(({ state }) => state === "absent"),
    findings,
    unwell: unwell(seen).filter(({ name: component }) => findings.every((finding) => finding.component !== component)),
  }
}

function describe(diagnosis: Diagnosis): string {
  const { cluster, machine, findings, unwell: components } = diagnosis
  const subject = machine === undefined ? cluster : `${cluster} on ${machine}`
  if (isWell(diagnosis) && diagnosis.runsNothing)
    return `${subject} is well: it was started empty, and no component runs in it.${EOL}`
  if (isWell(diagnosis)) return `${subject} is well: no known problem was found.${EOL}`
  const { width } = standardOutput()
  const cards = findings.flatMap((finding) => [finding.component ?? "the machine", ...findingLines(finding, width), ""])
  return [
    `${subject} is not well. To look closer: ${typed("shell", cluster)}${machine === undefined ? "" : ` --on ${machine}`}`,
    "",
    ...cards,
    ...(components.length === 0 ? [] : [...unwellLines(components, width), ""]),
  ].join(EOL)
}

async function examineHost(settings: Settings): Promise<Outcome & { data: object; exitCode: number }> {
  const { checks, summary, canBegin } = await examine(
    settings,
    lessons.map((lesson) => ({ number: lesson.number, requires: featuresOfLesson(lesson) })),
  )
  const rows = table(checks.map(({ verdict, title, found }) => [verdict, title, found]))
    .split("\n")
    .slice(0, -1)
  const lines = rows.flatMap((row, index) => {
    const {
      verdict,
      lessons: affected,
      remedy,
    } = checks[index] ?? { verdict: "unknown" as const, lessons: [], remedy: "" }
    return [
      `${paint(COLOUR[verdict], verdict)}${row.slice(verdict.length)}`,
      ...(verdict === "ok" || remedy === ""
        ? []
        : [
            `         ${affected.length === 0 ? "" : `needed by lessons ${affected.map((number) => lessonId({ number })).join(", ")}: `}${remedy}`,
          ]),
    ]
  })
  return {
    text: [...lines, "", summary, ""].join(EOL),
    data: { canBegin, summary, checks },
    exitCode: canBegin ? 0 : 1,
  }
}

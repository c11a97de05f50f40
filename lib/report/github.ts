import { randomBytes } from "node:crypto"
import { appendFileSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { stripVTControlCharacters } from "node:util"
import type { Settings } from "../base/settings.ts"
import type { Reader } from "./events.ts"
import { cardText, failureText, faultTitle, lastLines } from "./failure-text.ts"
import { isOwnFailure, pointsOfLesson, pointsOfRun } from "./points.ts"
import { standInNamesOf, summaryOf, type LessonResult, type RunResult } from "./result.ts"
import { withOurs } from "./stand-ins.ts"
import { scriptLineOf, type ScriptText } from "./script-line.ts"
import type { Verdict } from "./verdict.ts"

/** What a job of GitHub Actions shows about a learner's folder. */
export interface GitHubReport {
  /** Workflow commands, one a line: errors at the scripts' lines, and a warning for each component of ours. */
  readonly commands: readonly string[]
  /** Markdown for the job's page. */
  readonly summary: string
}

/**
 * For a learner's folder in a job of GitHub Actions: annotates the scripts' lines and writes the job's summary.
 * @returns undefined if there is no such job, or no such folder
 */
export function gitHub(
  { subject }: Pick<Settings, "subject">,
  environment: NodeJS.ProcessEnv = process.env,
  write: (text: string) => void = (text) => process.stdout.write(text),
): Reader | undefined {
  const isJob = environment["GITHUB_ACTIONS"] === "true" || environment["GITHUB_STEP_SUMMARY"] !== undefined
  if (subject === undefined || !isJob) return undefined
  // A run prints the output of a learner's scripts. GitHub must not obey workflow commands in that output:
  // https://docs.github.com/actions/reference/workflow-commands-for-github-actions
  const token = randomBytes(16).toString("hex")
  return (event) => {
    if (event.type === "run started") write(`::stop-commands::${token}\n`)
    if (event.type !== "run ended") return
    const root = environment["GITHUB_WORKSPACE"] ?? process.cwd()
    const { commands, summary } = gitHubReport(event.result, scriptsIn(subject), relative(root, subject))
    write(`\n::${token}::\n${commands.map((command) => `${command}\n`).join("")}`)
    const page = environment["GITHUB_STEP_SUMMARY"]
    if (page !== undefined) appendFileSync(page, summary)
  }
}

/**
 * @param scripts the learner's start scripts
 * @param folder the learner's folder, relative to the repository; empty if it is the repository itself
 */
export function gitHubReport(result: RunResult, scripts: readonly ScriptText[], folder: string): GitHubReport {
  const failed = result.lessons.flatMap(({ id, tests }) =>
    tests
      .filter(isOwnFailure)
      .map((test) => ({ ...test, lesson: id, at: scriptLineOf(id, test.card ?? undefined, lastLines(test), scripts) })),
  )
  const fileOf = (name: string) => join(folder, name)
  const { reached, most } = pointsOfRun(result)
  return {
    commands: [
      ...result.faults.map(({ file, message }) => command("error", { title: faultTitle(file) }, message)),
      ...failed.map(({ at, ...test }) =>
        command(
          "error",
          {
            ...(at === undefined ? {} : { file: fileOf(at.script), line: String(at.line) }),
            title: `${test.lesson} ${test.title}`,
          },
          failureText(test.lesson, test),
        ),
      ),
      ...result.standIns.map(({ component, reason }) =>
        command("warning", { title: `our ${component} in place of yours` }, reason),
      ),
    ],
    summary: [
      `## ${reached} of ${most} points`,
      "",
      "| | lesson | verdict | points | |",
      "| --- | --- | --- | --- | --- |",
      ...result.lessons.map(row),
      "",
      ...result.standIns.flatMap(({ component, reason }) => [
        `**Our ${component}** ran in place of yours: ${inline(reason)}`,
        "",
      ]),
      ...result.faults.flatMap(({ file, message }) => [
        `### ✗ ${inline(faultTitle(file))}`,
        "",
        ...fenced(message),
        "",
      ]),
      ...failed.flatMap(({ at, ...test }) => [
        `### ✗ ${test.lesson} ${inline(test.title)}`,
        ...(at === undefined ? [] : ["", `Look at \`${fileOf(at.script)}\`, line ${at.line}.`]),
        "",
        ...fenced(cardText(test.lesson, test)),
        "",
      ]),
    ].join("\n"),
  }
}

const MARK = {
  failed: "✗",
  blocked: "·",
  "cannot check here": "?",
  "not started": "",
  passed: "✓",
  "not chosen": "",
} as const satisfies Record<Verdict, string>

function row(lesson: LessonResult): string {
  const { reached, most } = pointsOfLesson(lesson)
  return `| ${MARK[lesson.verdict]} ${lesson.id} | ${inline(lesson.title)} | ${[lesson.verdict, withOurs(standInNamesOf(lesson))].join(" ").trim()} | ${reached}/${most} | ${inline(summaryOf(lesson))} |`
}

/** One line of Markdown that shows a text as it is. */
function inline(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/\s+/g, " ")
    .replaceAll(/[\\`*_[\]<>|&#~]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** Lines of a block that shows a text as it is. */
function fenced(text: string): string[] {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map(({ length }) => length))
  const fence = "`".repeat(longest + 1)
  return [`${fence}text`, stripVTControlCharacters(text), fence]
}

function command(name: string, properties: Readonly<Record<string, string>>, text: string): string {
  const escaped = (value: string) =>
    stripVTControlCharacters(value).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")
  const listed = Object.entries(properties)
    .map(([key, value]) => `${key}=${escaped(value).replaceAll(":", "%3A").replaceAll(",", "%2C")}`)
    .join(",")
  return `::${name} ${listed}::${escaped(text)}`
}

/** The start scripts of a learner's folder, in order. */
export function scriptsIn(folder: string): ScriptText[] {
  const names = readdirSync(folder)
    .filter((name) => /^\d\d-[^/]*\.sh$/.test(name))
    .toSorted((a, b) => (a < b ? -1 : 1))
  return names.map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }))
}

import { randomBytes } from "node:crypto"
import { appendFileSync, readdirSync, readFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { stripVTControlCharacters } from "node:util"
import type { Reporter, TestModule } from "vitest/node"
import type { Settings } from "../base/settings.ts"
import { cardLines, type Card } from "./card.ts"
import { placeOf, type ScriptText } from "./script-line.ts"
import { isFailure, lessonOf, verdictOf, type Verdict } from "./verdict.ts"

/** Lines. */
const LAST_WORDS = 12

/** A test that was graded, with what a learner is told of it. */
export interface Graded {
  /** Two digits. */
  readonly lesson: string
  readonly lessonTitle: string
  readonly title: string
  readonly verdict: Verdict
  /** Whether it makes the run fail. */
  readonly isFailure: boolean
  readonly reason?: string | undefined
  readonly evidence?: string | undefined
  /** On failure: what the script or the component has said last. */
  readonly words?: readonly string[] | undefined
  readonly see?: string | undefined
  readonly card?: Card | undefined
}

/** What a job of GitHub Actions says of a learner's folder. */
export interface GitHubReport {
  /** Workflow commands, a line each: errors at the scripts' lines, then the points as GitHub Classroom reads them. */
  readonly commands: readonly string[]
  /** Markdown for the job's page. */
  readonly summary: string
}

/** The reporter for a learner's folder in a job of GitHub Actions; none elsewhere. */
export function gitHubReporters(settings: Settings, environment: NodeJS.ProcessEnv = process.env): Reporter[] {
  const isThere = environment["GITHUB_ACTIONS"] === "true" || environment["GITHUB_STEP_SUMMARY"] !== undefined
  return settings.subject !== undefined && isThere
    ? [new GitHub({ ...settings, subject: settings.subject }, environment)]
    : []
}

/** Annotates the scripts' lines, writes the job's summary and tells the points. Last among the reporters. */
class GitHub implements Reporter {
  readonly #settings: Settings & { readonly subject: string }
  readonly #environment: NodeJS.ProcessEnv
  // What a learner's scripts have printed is shown too, and must not be obeyed: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
  readonly #token = randomBytes(16).toString("hex")

  constructor(settings: Settings & { readonly subject: string }, environment: NodeJS.ProcessEnv) {
    this.#settings = settings
    this.#environment = environment
  }

  onTestRunStart(): void {
    process.stdout.write(`::stop-commands::${this.#token}\n`)
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const { subject } = this.#settings
    const root = this.#environment["GITHUB_WORKSPACE"] ?? process.cwd()
    const { commands, summary } = gitHubReport(
      gradedIn(modules, this.#settings),
      scriptsIn(subject),
      relative(root, subject),
    )
    process.stdout.write(`\n::${this.#token}::\n${commands.map((command) => `${command}\n`).join("")}`)
    const page = this.#environment["GITHUB_STEP_SUMMARY"]
    if (page !== undefined) appendFileSync(page, summary)
  }
}

/** @param folder the learner's folder as the repository names it; empty where it is the repository itself */
export function gitHubReport(graded: readonly Graded[], scripts: readonly ScriptText[], folder: string): GitHubReport {
  const failed = graded.filter(({ verdict, isFailure: counts }) => counts && verdict !== "blocked")
  const fileOf = (name: string) => join(folder, name)
  // A lesson's file that cannot be read, which has no title, is no script's fault.
  const placed = failed.map((test) => ({
    test,
    place: test.lessonTitle === "" ? undefined : placeOf(test.lesson, test.card, test.words ?? [], scripts),
  }))
  const [totalPoints, maxPoints] = points(graded)
  return {
    commands: [
      ...placed.map(({ test, place }) =>
        command(
          "error",
          {
            ...(place === undefined ? {} : { file: fileOf(place.file), line: String(place.line) }),
            title: `${test.lesson} ${test.title}`,
          },
          textOf(test),
        ),
      ),
      // GitHub Classroom reads these two, by their titles.
      command("notice", { title: "Autograding complete" }, `Points ${totalPoints}/${maxPoints}`),
      command("notice", { title: "Autograding report" }, JSON.stringify({ totalPoints, maxPoints })),
    ],
    summary: [
      `## ${totalPoints} of ${maxPoints} points`,
      "",
      "| | lesson | verdict | points | |",
      "| --- | --- | --- | --- | --- |",
      ...lessonsOf(graded).map(row),
      "",
      ...placed.flatMap(({ test, place }) => [
        `### ✗ ${test.lesson} ${inline(test.title)}`,
        ...(place === undefined ? [] : ["", `Look at \`${fileOf(place.file)}\`, line ${place.line}.`]),
        "",
        ...fenced(
          test.card === undefined
            ? textOf(test)
            : cardLines(test.card, test.lesson, test.see)
                .map((line) => line.slice(3))
                .concat(lastWords(test))
                .join("\n"),
        ),
        "",
      ]),
    ].join("\n"),
  }
}

/** What was said last, below a card that does not show it. */
function lastWords({ card, words = [] }: Graded): string[] {
  return words.length === 0 || card?.finding?.evidence === words.join("\n") ? [] : ["", "last words:", ...words]
}

/** What an annotation says. */
function textOf(test: Graded): string {
  const { lesson, card, reason, verdict } = test
  if (card === undefined) return reason ?? verdict
  const { observed, finding } = card
  return [
    ...(card.expected === undefined ? [observed] : [`expected ${card.expected}`, `observed ${observed}`]),
    ...(finding === undefined
      ? []
      : [
          `Why: ${finding.cause} (${finding.id})`,
          ...(finding.evidence === "" ? [] : [`Evidence: ${finding.evidence}`]),
          `Do: ${finding.remedy}`,
        ]),
    ...lastWords(test),
    `Hint: npx byhand hint ${lesson}`,
  ].join("\n")
}

function points(graded: readonly Graded[]): [number, number] {
  return [
    graded.filter(({ verdict }) => verdict === "passed").length,
    graded.filter(({ verdict }) => verdict !== "not chosen").length,
  ]
}

function lessonsOf(graded: readonly Graded[]): Graded[][] {
  return [...new Set(graded.map(({ lesson }) => lesson))].map((lesson) =>
    graded.filter((test) => test.lesson === lesson),
  )
}

const BY_WEIGHT: readonly Verdict[] = ["failed", "blocked", "cannot check here", "passed", "not chosen"]
const MARK = { failed: "✗", blocked: "·", "cannot check here": "?", passed: "✓", "not chosen": "" } as const

function row(tests: readonly Graded[]): string {
  const [first] = tests
  const verdict = BY_WEIGHT.find((each) => tests.some((test) => test.verdict === each)) ?? "not chosen"
  const telling =
    verdict === "passed"
      ? tests.findLast(({ evidence }) => evidence !== undefined)?.evidence
      : tests.find((test) => test.verdict === verdict)?.reason
  return `| ${MARK[verdict]} ${first?.lesson ?? ""} | ${inline(first?.lessonTitle ?? "")} | ${verdict} | ${points(tests).join("/")} | ${inline(telling ?? "")} |`
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

function gradedIn(modules: readonly TestModule[], settings: Settings): Graded[] {
  return modules.flatMap((module) => [
    ...module.errors().map(({ message }): Graded => ({
      lesson: basename(module.moduleId).slice(0, 2),
      lessonTitle: "",
      title: basename(module.moduleId),
      verdict: "failed",
      isFailure: true,
      reason: message,
    })),
    ...[...module.children.allTests()].map((test): Graded => {
      const lesson = lessonOf(test)
      const { see, evidence, card } = test.meta()
      const judged = verdictOf(test)
      // Of an assertion only its message's first line is of use; of a component that did not come up, the lines after it are its log's.
      const [, ...words] =
        card?.expected === undefined
          ? (test.result().errors?.[0]?.message ?? "").split("\n").map((line) => line.trim())
          : []
      return {
        lesson,
        lessonTitle: test.parent.type === "suite" ? test.parent.name.slice(3) : "",
        title: test.name,
        ...judged,
        see,
        evidence,
        card,
        words: words.filter((line) => line !== "" && card?.observed.includes(line) !== true).slice(-LAST_WORDS),
        isFailure: isFailure(judged.verdict, { lesson, title: test.name }, settings),
      }
    }),
  ])
}

function scriptsIn(folder: string): ScriptText[] {
  const names = readdirSync(folder)
    .filter((name) => /^\d\d-[^/]*\.sh$/.test(name))
    .toSorted((a, b) => (a < b ? -1 : 1))
  return names.map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }))
}

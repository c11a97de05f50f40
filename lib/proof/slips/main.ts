// Makes random slips of the keyboard in the shipped solution, grades each, and counts what the cards say about them.
// usage: npm run slips -- [--rounds N] [--seed N]      (root)
import { Command } from "commander"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { messageOf } from "../../base/errors.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { packageRoot, readSettings } from "../../base/settings.ts"
import { wholeNumber } from "../../base/whole-number.ts"
import { prepareArtifacts } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { runCommandLine } from "../command-line.ts"
import { drawFrom } from "../draw.ts"
import { lessonId, lessons } from "../../curriculum/lessons.ts"
import { SHEET } from "../../kubeadm/sheet.ts"
import { Grader } from "../sabotage/graders.ts"
import type { TestResult } from "../sabotage/tasks.ts"
import { edited, slip, type Edit } from "./edits.ts"
import { judge, JUDGEMENTS, type Judgement } from "./judge.ts"

const SOLUTION = join(packageRoot, "fixtures", "solution")
/** Seconds after which a run counts as one without an end. A correct folder needs three minutes beside another. */
const LONGEST_RUN = 400
/** The share of harmful slips that must be named. */
const TARGET = 0.95

interface Round {
  readonly edit: Edit
  readonly judgement: Judgement
  readonly seconds: number
  /** The first outcome that failed; undefined if none did. */
  readonly failed: TestResult | undefined
}

const program = new Command("slips")
  .description("Makes random slips of the keyboard in the shipped solution and checks that the cards name them.")
  .option("--rounds <n>", "the number of slips", wholeNumber("--rounds"), 24)
  .option("--seed <n>", "the same seed makes the same slips", wholeNumber("--seed"), 1)
  .option(
    "--limit <seconds>",
    "the longest time for a run; a busy host needs more",
    wholeNumber("--limit"),
    LONGEST_RUN,
  )
  .option("--list", "print the slips and exit")
  .exitOverride()
  .action(async ({ rounds, seed, limit, list }: { rounds: number; seed: number; limit: number; list?: true }) => {
    const files = filesOf(SOLUTION)
    const edits = Array.from({ length: rounds }, (_, round) => slip(files, drawFrom(seed * 100_003 + round)))
    if (list === true) {
      process.stdout.write(edits.map((edit, at) => `${at + 1}. ${shown(edit)}\n`).join(""))
      return
    }
    process.stdout.write(`${rounds} slips, --seed ${seed}\n`)
    await prepareArtifacts(componentNames, readSettings(), terminalProgress())
    const played = await playAll(edits, files, limit)
    process.stdout.write(summary(played))
    process.exitCode = isGood(played) ? 0 : 1
  })

/** The text of each file of a folder by its path in the folder, without the table that a learner fills in. */
function filesOf(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => path !== SHEET)
  return new Map(paths.toSorted().map((path) => [path, readFileSync(join(folder, path), "utf8")]))
}

async function playAll(edits: readonly Edit[], files: ReadonlyMap<string, string>, limit: number): Promise<Round[]> {
  const queue = [...edits.entries()]
  const played: Round[] = []
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      using grader = new Grader({}, limit * 1000)
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [at, edit] = next
        const round = await play(grader, edit, files)
        played.push(round)
        process.stdout.write(`${at + 1}. ${told(round)}`)
      }
    }),
  )
  return played
}

async function play(grader: Grader, edit: Edit, files: ReadonlyMap<string, string>): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), "byhand-slip-"))
  const began = performance.now()
  try {
    cpSync(SOLUTION, folder, { recursive: true })
    writeFileSync(join(folder, edit.file), edited(files.get(edit.file) ?? "", edit))
    const answer = await grader
      .ask({
        kind: "lessons",
        sabotage: undefined,
        lessons: lessonsFor(edit.file),
        subject: folder,
        endsAtFailure: true,
      })
      .catch((error: unknown) => messageOf(error))
    const results = typeof answer === "string" || answer.kind !== "lessons" ? undefined : answer.tests
    return {
      edit,
      judgement: judge(edit, results),
      seconds: (performance.now() - began) / 1000,
      failed: results?.find(({ verdict }) => verdict === "failed"),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * The ids of the lessons that an edit of a file can affect. A script runs when its lesson begins. A lesson that only
 * looks at what earlier scripts made takes a minute, and is left out.
 */
function lessonsFor(file: string): string[] {
  const first = Number(/^(\d\d)-/.exec(file)?.[1] ?? 1)
  return lessons.filter(({ number, sheet }) => number >= first && sheet === undefined).map(lessonId)
}

/** A slip in one line. */
function shown({ kind, file, line, before, after }: Edit): string {
  return `${file}:${line} ${kind}: ${before.trim()} → ${after.length === 0 ? "(nothing)" : after.map((text) => text.trim()).join(" ⏎ ")}`
}

function told({ edit, judgement, seconds, failed }: Round): string {
  const card = failed === undefined ? "" : `      ${failed.test}\n      ${failed.finding}: ${failed.reason}\n`
  return `${judgement.padEnd(8)} ${seconds.toFixed(0).padStart(4)} s  ${shown(edit)}\n${card}`
}

function summary(played: readonly Round[]): string {
  const harmful = played.filter(({ judgement }) => judgement !== "harmless")
  const rows = JUDGEMENTS.map((judgement) => {
    const these = played.filter((round) => round.judgement === judgement)
    const longest = Math.max(0, ...these.map(({ seconds }) => seconds))
    return `${judgement.padEnd(10)} ${String(these.length).padStart(4)}   longest ${longest.toFixed(0)} s`
  })
  const named = harmful.filter(({ judgement }) => judgement === "named").length
  const share = harmful.length === 0 ? 100 : (100 * named) / harmful.length
  return `\n${rows.join("\n")}\n\n${named} of ${harmful.length} harmful slips are named (${share.toFixed(0)} %)\n`
}

/** Whether enough harmful slips are named, none is explained wrongly, and every run has an end. */
function isGood(played: readonly Round[]): boolean {
  const harmful = played.filter(({ judgement }) => judgement !== "harmless")
  const named = harmful.filter(({ judgement }) => judgement === "named").length
  return (
    named >= TARGET * harmful.length &&
    harmful.every(({ judgement }) => judgement !== "wrong" && judgement !== "no end")
  )
}

await runCommandLine(program)

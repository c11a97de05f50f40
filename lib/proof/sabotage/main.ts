import { Command, Option } from "commander"
import { execa } from "execa"
import { readFileSync, writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { z } from "zod"
import { shard, type Shard } from "../../base/shard.ts"
import { UsageError } from "../../base/errors.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { extras, prepareArtifacts } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { packageRoot, readSettings } from "../../base/settings.ts"
import { wholeNumber } from "../../base/whole-number.ts"
import { closingLine, runResult, type RunResult } from "../../report/result.ts"
import type { Counts } from "../../report/verdict.ts"
import { runCommandLine } from "../command-line.ts"
import { Dependencies } from "./affected.ts"
import { sabotageOf, sabotages } from "./all.ts"
import { isAtHand } from "./brought.ts"
import { choose } from "./choose.ts"
import { Grader } from "./graders.ts"
import { matrix } from "./matrix.ts"
import { compareRecording, keepRecording } from "./recordings.ts"
import { allTests } from "./all-tests.ts"
import { isForDoctor, proveByDoctor, proveByLessons, proveUnbroken, unknownTests, type Proof } from "./prove.ts"
import type { Sabotage } from "./sabotage.ts"
import { summary } from "./stopwatch.ts"
import { notByScripts, styles, type Style } from "./styles.ts"

/**
 * The number of graders for each core. There can be more than one, because a grader spends most of its time waiting.
 */
const GRADERS_OF_A_CORE = 2
/**
 * The number of sabotages that use one cluster one after another. Fewer would start more clusters. More would leave the
 * other graders without work at the end.
 */
const SHARING_A_CLUSTER = 5
/**
 * Seconds that a component may take to become ready. The value is small, because a broken cluster never becomes ready.
 * Beside the other graders a healthy kube-apiserver can need more than 15 s.
 */
const PATIENCE = process.env["BYHAND_PATIENCE"] ?? "30"
/** Milliseconds after which a task counts as hanging. Such a task proves nothing. All lessons need several minutes. */
const HANGING = 1_200_000

/** The style in which our own cluster makes the mistake. */
const OWN = "own"

interface Options {
  readonly list?: boolean
  readonly whole?: boolean
  readonly record?: boolean
  readonly affected?: string
  readonly share: number
  readonly seed: string
  readonly atMost: number
  readonly shard?: Shard
  readonly style: readonly (Style | typeof OWN)[]
  readonly result?: string
  readonly unbroken?: RunResult
}

/** Reads the result of a run of our own cluster. */
const resultOf = (file: string): RunResult => {
  try {
    return runResult.extend({ subject: z.null() }).parse(JSON.parse(readFileSync(file, "utf8")))
  } catch {
    throw new UsageError(
      `--unbroken ${file} is not the result of a run of our own cluster.`,
      "Make it with: BYHAND_RESULT=FILE npx vitest run",
    )
  }
}

const program = new Command("sabotage")
  .description(
    "Breaks the cluster in every known way, one at a time, and checks that exactly the predicted tests fail and name the cause.",
  )
  .argument("[ids...]", "the sabotages to try; by default all, and then at least one sabotage must make each test fail")
  .option("--list", "print the sabotages and exit")
  .option("--whole", "run every lesson for each sabotage, not only the lessons that the sabotage can affect")
  .option("--record", "store the observation of each broken cluster in fixtures/observations")
  .option(
    "--affected <base>",
    "only the sabotages that the changes since this commit affect, and a share of all sabotages",
  )
  .option("--share <percent>", "the share of all sabotages that --affected adds", wholeNumber("--share"), 10)
  .option("--seed <text>", "the seed for the share of --affected: the same text selects the same sabotages", "0")
  .option(
    "--at-most <n>",
    "the largest number of sabotages for --affected",
    wholeNumber("--at-most", 1),
    Number.MAX_SAFE_INTEGER,
  )
  .option("--shard <n/m>", "run part n of m of the sabotages", shard)
  .addOption(
    new Option("--style <style...>", "who makes the mistake: our own cluster, or scripts of a learner in one style")
      .choices([OWN, ...styles])
      .default([OWN]),
  )
  .option("--result <file>", "write the counts to this file as JSON")
  .option(
    "--unbroken <file>",
    "the result of a run of all lessons on an unbroken cluster (BYHAND_RESULT); without it they run here once more",
    resultOf,
  )
  .exitOverride()
  .action(async (ids: string[], options: Options) => {
    const { sabotages: chosen, reasons } = await chosenBy(ids, options)
    if (options.list === true) {
      process.stdout.write(chosen.map(({ id, breaks }) => `${id.padEnd(40)}  ${breaks}\n`).join(""))
      return
    }
    process.stdout.write(reasons.map((line) => `${line}\n`).join(""))
    const isNamed = ids.length > 0 // Then nothing else is tried.
    const left = isNamed ? 0 : sabotages.length - chosen.length
    const counts = await tryAll(chosen, {
      left,
      isWhole: options.whole === true,
      isRecording: options.record === true,
      triesUnbroken: !isNamed,
      unbrokenRun: options.unbroken,
      styles: options.style.map((style) => (style === OWN ? undefined : style)),
    })
    process.stdout.write(`\n${closingLine(counts)}\n`)
    if (options.result !== undefined) writeFileSync(options.result, `${JSON.stringify(counts)}\n`)
    process.exitCode = counts.failed === 0 ? 0 : 1
  })

async function chosenBy(
  ids: readonly string[],
  options: Options,
): Promise<{ sabotages: readonly Sabotage[]; reasons: readonly string[] }> {
  if (ids.length > 0) return { sabotages: ids.map(sabotageOf), reasons: [] }
  if (options.affected !== undefined) {
    const changed = await changedSince(options.affected)
    const dependencies = await Dependencies.read(packageRoot)
    const affected =
      changed === undefined
        ? sabotages.map((sabotage) => ({ sabotage, file: "", distance: Infinity }))
        : dependencies.affectedBy(changed, sabotages)
    const settings = readSettings()
    const isHere = ({ brings }: Sabotage) => isAtHand(brings, settings)
    const away = sabotages.filter((sabotage) => !isHere(sabotage)).map(({ id }) => id)
    const { chosen, reasons } = choose(
      sabotages.filter(isHere),
      affected.filter(({ sabotage }) => isHere(sabotage)),
      options,
    )
    const what =
      changed === undefined
        ? `The commit ${options.affected} is not in this clone: every sabotage counts as affected.`
        : `${changed.length} files have changed since ${options.affected}.`
    const absent =
      away.length === 0
        ? []
        : [`${away.length} need another version of Kubernetes, which the cache does not have: ${away.join(" ")}`]
    return { sabotages: chosen, reasons: [what, ...reasons, ...absent] }
  }
  if (options.shard === undefined) return { sabotages, reasons: [] }
  const [at, of] = options.shard
  const part = sabotages.filter((_, index) => index % of === at - 1)
  return {
    sabotages: part,
    reasons: [`Part ${at} of ${of}: ${part.length} of ${sabotages.length} sabotages; the other parts run the rest.`],
  }
}

/** The files that differ from a commit, including new files. Undefined if git does not know the commit. */
async function changedSince(base: string): Promise<string[] | undefined> {
  const git = (...args: string[]) => execa("git", args, { cwd: packageRoot, reject: false })
  const [differing, untracked] = await Promise.all([
    git("diff", "--name-only", "--no-renames", base, "--"),
    git("ls-files", "--others", "--exclude-standard"),
  ])
  if (differing.exitCode !== 0) return undefined
  return [...differing.stdout.split("\n"), ...untracked.stdout.split("\n")].filter((file) => file !== "")
}

interface Scope {
  /** The number of sabotages that do not run this time. */
  readonly left: number
  /** Whether every lesson runs for each sabotage, not only the lessons that the sabotage can affect. */
  readonly isWhole: boolean
  /** Whether the observations are stored in fixtures/observations. */
  readonly isRecording: boolean
  /** Whether a cluster without sabotage must also pass all lessons. */
  readonly triesUnbroken: boolean
  /** The result of the lessons on such a cluster; undefined if they must run here. */
  readonly unbrokenRun: RunResult | undefined
  /** Who makes the mistake: a learner's folder in this style; undefined stands for our own cluster. */
  readonly styles: readonly (Style | undefined)[]
}

async function tryAll(chosen: readonly Sabotage[], scope: Scope): Promise<Counts> {
  // Prepare them once here, so that the graders do not prepare them at the same time.
  await prepareArtifacts([...componentNames, ...extras], readSettings(), terminalProgress())
  const recordings = await mkdtemp(join(tmpdir(), "byhand-recordings-"))
  const graders = Array.from(
    { length: GRADERS_OF_A_CORE * availableParallelism() },
    () => new Grader({ BYHAND_PATIENCE: PATIENCE, BYHAND_RECORD: recordings }, HANGING),
  )
  try {
    return await tryWith(graders, chosen, scope, recordings)
  } finally {
    for (const grader of graders) grader[Symbol.dispose]()
    await rm(recordings, { recursive: true, force: true })
  }
}

async function tryWith(
  graders: readonly Grader[],
  chosen: readonly Sabotage[],
  { left, isWhole, isRecording, triesUnbroken, unbrokenRun, styles: tried }: Scope,
  recordings: string,
): Promise<Counts> {
  const [first] = graders
  if (first === undefined) throw new RangeError("There is no grader.")
  const tests = allTests()
  const proofs = new Map<string, Proof>()
  const tell = (proven: Proof) => {
    const proof = withRecording(proven, isRecording ? keepRecording : compareRecording, recordings)
    proofs.set(keyOf(proof), proof)
    const { sabotage, mistakes, seconds, toCard } = proof
    const card = toCard === undefined ? "" : `card after ${toCard.toFixed(1)} s`
    process.stdout.write(
      `${mistakes.length === 0 ? "✓" : "✗"} ${keyOf(proof).padEnd(40)} ${seconds.toFixed(0).padStart(4)} s  ${card.padEnd(19)}  ${sabotage.breaks}\n`,
    )
    for (const mistake of mistakes) process.stdout.write(`    ${mistake}\n`)
  }
  const tryTogether = async (grader: Grader, group: readonly Sabotage[], style?: Style): Promise<void> => {
    const [sabotage] = group
    if (sabotage === undefined) return
    if (isForDoctor(sabotage)) (await proveByDoctor(grader, group)).forEach(tell)
    else tell(await proveByLessons(grader, sabotage, tests, isWhole, style))
  }
  const mistyped = chosen.filter((sabotage) => unknownTests(sabotage, tests).length > 0)
  for (const sabotage of mistyped)
    tell({
      sabotage,
      verdicts: new Map(),
      mistakes: unknownTests(sabotage, tests).map((name) => `there is no test ${name} …`),
      seconds: 0,
    })
  let unbroken: readonly string[] = []
  const tryUnbroken = async (grader: Grader, run: RunResult | undefined): Promise<void> => {
    unbroken = await proveUnbroken(grader, run)
    process.stdout.write(`${unbroken.length === 0 ? "✓" : "✗"} nothing is broken\n`)
    for (const mistake of unbroken) process.stdout.write(`unbroken: ${mistake}\n`)
  }
  const known = chosen.filter((sabotage) => !mistyped.includes(sabotage))
  const queue = [
    ...(triesUnbroken && tried.includes(undefined) ? [(grader: Grader) => tryUnbroken(grader, unbrokenRun)] : []),
    ...tried.flatMap((style) =>
      groupsOf(style === undefined ? known : known.filter((sabotage) => notByScripts(sabotage) === undefined)).map(
        (group) => (grader: Grader) => tryTogether(grader, group, style),
      ),
    ),
  ]
  await Promise.all(
    graders.map(async (grader) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next(grader)
    }),
  )
  // Proofs that run at the same time can disturb each other. So each proof with a mistake runs again alone, and must
  // succeed.
  const again = [...proofs.values()].filter(({ mistakes }) => mistakes.length > 0)
  const number = again.length + (unbroken.length > 0 ? 1 : 0)
  if (number > 0) process.stdout.write(`\n${number} once more, alone:\n`)
  if (unbroken.length > 0) await tryUnbroken(first, undefined)
  for (const { sabotage, style } of again) if (!mistyped.includes(sabotage)) await tryTogether(first, [sabotage], style)

  const all = [...proofs.values()]
  process.stdout.write(`\n${matrix(tests, chosen, all, tried)}`)
  const byLessons = all.filter(({ sabotage }) => !isForDoctor(sabotage))
  const times = (secondsOf: (proof: Proof) => number | undefined) =>
    summary(
      byLessons.flatMap((proof) => {
        const seconds = secondsOf(proof)
        return seconds === undefined ? [] : [{ id: keyOf(proof), seconds }]
      }),
    )
  process.stdout.write(`From the start of what fails to the card: ${times(({ toCard }) => toCard)}\n`)
  process.stdout.write(`Whole runs: ${times(({ seconds }) => seconds)}\n`)
  const isAll = chosen.length === sabotages.length && tried.includes(undefined)
  // If only a part of the sabotages runs, the predictions count. The other parts prove the other predictions.
  const unfailed = tests.filter((test) =>
    isAll
      ? !all.some(({ verdicts }) => verdicts.get(test) === "failed")
      : !sabotages.some(({ fails }) => fails.some((name) => test.startsWith(name))),
  )
  for (const test of unfailed) process.stdout.write(`No sabotage can fail this test: ${test}\n`)
  const failed =
    all.filter(({ mistakes }) => mistakes.length > 0).length + (unbroken.length > 0 ? 1 : 0) + unfailed.length
  const count =
    all.length + (triesUnbroken && tried.includes(undefined) ? 1 : 0) + (isAll ? tests.length : unfailed.length)
  return { passed: count - failed, failed, skipped: left }
}

/** The name of a proof: the sabotage, and the style of a learner's folder. */
function keyOf({ sabotage: { id }, style }: Proof): string {
  return style === undefined ? id : `${id} ${style}`
}

/**
 * Stores or compares the recording of a proof. What is wrong with it becomes a mistake of the proof. A proof with
 * mistakes has no valid recording.
 */
function withRecording(
  proof: Proof,
  check: (base: string, sabotage: Sabotage) => string | undefined,
  recordings: string,
): Proof {
  // Only the observations of our own cluster are stored.
  if (proof.mistakes.length > 0 || proof.style !== undefined) return proof
  const mistake = check(recordings, proof.sabotage)
  return mistake === undefined ? proof : { ...proof, mistakes: [mistake] }
}

/**
 * Divides the sabotages into groups. One grader tries the sabotages of a group one after another. The slowest groups
 * come first.
 */
function groupsOf(chosen: readonly Sabotage[]): Sabotage[][] {
  const forDoctor = chosen.filter(isForDoctor)
  const sharing = forDoctor.filter(({ undo, component }) => undo !== undefined && component === undefined)
  const groups = Array.from({ length: Math.ceil(sharing.length / SHARING_A_CLUSTER) }, (_, at) =>
    sharing.slice(at * SHARING_A_CLUSTER, (at + 1) * SHARING_A_CLUSTER),
  )
  const alone = forDoctor.filter((sabotage) => !sharing.includes(sabotage)).map((sabotage) => [sabotage])
  const lastLesson = ({ fails }: Sabotage) => Math.max(...fails.map((test) => Number(test.slice(0, 2))))
  const byLessons = chosen
    .filter((sabotage) => !isForDoctor(sabotage))
    .toSorted((a, b) => lastLesson(b) - lastLesson(a))
    .map((sabotage) => [sabotage])
  return [...groups, ...alone, ...byLessons]
}

await runCommandLine(program)

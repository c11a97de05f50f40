import { Command, CommanderError } from "commander"
import { execa } from "execa"
import { writeFileSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { messageOf, UsageError } from "../../base/errors.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { prepareArtifacts } from "../../clusters/artifacts.ts"
import { componentNames } from "../../components/registry.ts"
import { packageRoot, readSettings } from "../../base/settings.ts"
import { closingLine } from "../../report/result.ts"
import type { Counts } from "../../report/verdict.ts"
import { Dependencies } from "./affected.ts"
import { sabotageOf, sabotages } from "./all.ts"
import { choose } from "./choose.ts"
import { Grader } from "./graders.ts"
import { matrix } from "./matrix.ts"
import { keepRecording } from "./recordings.ts"
import {
  allTests,
  isForDoctor,
  proveByDoctor,
  proveByLessons,
  proveUnbroken,
  unknownTests,
  type Proof,
} from "./prove.ts"
import type { Sabotage } from "./sabotage.ts"

/** Graders for each core: most of the time they wait for what does not come. */
const GRADERS_OF_A_CORE = 2
/** Sabotages that share a cluster one after another. Fewer would start more clusters, more would keep the other graders waiting at the end. */
const SHARING_A_CLUSTER = 5
/** Seconds a component may take to become ready: a cluster that is broken should not be waited for long. A busy host needs more. */
const PATIENCE = process.env["BYHAND_PATIENCE"] ?? "15"
/** Milliseconds after which a task counts as hanging, and has proved nothing. */
const HANGING = 600_000

interface Options {
  readonly list?: boolean
  readonly whole?: boolean
  readonly record?: boolean
  readonly affected?: string
  readonly share: number
  readonly seed: string
  readonly atMost: number
  readonly shard?: readonly [number, number]
  readonly result?: string
}

const wholeNumber = (least: number) => (given: string) => {
  if (!/^\d{1,9}$/.test(given) || Number(given) < least)
    throw new UsageError(`${given} is not a whole number from ${least} on.`, "Correct it.")
  return Number(given)
}

const shard = (given: string): [number, number] => {
  const [, at = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(given) ?? []).map(Number)
  if (at < 1 || at > of) throw new UsageError(`--shard ${given} is not a part such as 2/6.`, "Correct it.")
  return [at, of]
}

const program = new Command("sabotage")
  .description(
    "Breaks the cluster in every known way, one at a time, and checks that the lessons notice, say why, and notice nothing else.",
  )
  .argument("[ids...]", "the sabotages to try; all by default, and then each test must be failed by one at least")
  .option("--list", "name them and end")
  .option("--whole", "run every lesson each time, not only those that can tell")
  .option("--record", "keep what the diagnosis saw of each broken cluster in fixtures/observations")
  .option("--affected <base>", "only those that the changes since this commit affect, and a share of the others")
  .option("--share <percent>", "how many of the others --affected takes", wholeNumber(0), 10)
  .option("--seed <text>", "which others --affected takes: the same text takes the same ones", "0")
  .option("--at-most <n>", "the limit for --affected", wholeNumber(1), Number.MAX_SAFE_INTEGER)
  .option("--shard <n/m>", "the nth of m parts of the sabotages", shard)
  .option("--result <file>", "write the counts to this file as JSON, for programs")
  .exitOverride()
  .action(async (ids: string[], options: Options) => {
    const { sabotages: chosen, reasons } = await chosenBy(ids, options)
    if (options.list === true) {
      process.stdout.write(chosen.map(({ id, breaks }) => `${id.padEnd(40)}  ${breaks}\n`).join(""))
      return
    }
    process.stdout.write(reasons.map((line) => `${line}\n`).join(""))
    const isNamed = ids.length > 0 // Then nothing else is asked for.
    const left = isNamed ? 0 : sabotages.length - chosen.length
    const counts = await tryAll(chosen, {
      left,
      isWhole: options.whole === true,
      isRecording: options.record === true,
      triesUnbroken: !isNamed,
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
    const { chosen, reasons } = choose(sabotages, affected, options)
    const what =
      changed === undefined
        ? `The commit ${options.affected} is not in this clone: every sabotage counts as affected.`
        : `${changed.length} files have changed since ${options.affected}.`
    return { sabotages: chosen, reasons: [what, ...reasons] }
  }
  if (options.shard === undefined) return { sabotages, reasons: [] }
  const [at, of] = options.shard
  const part = sabotages.filter((_, index) => index % of === at - 1)
  return {
    sabotages: part,
    reasons: [`Part ${at} of ${of}: ${part.length} of ${sabotages.length} sabotages; the other parts run the rest.`],
  }
}

/** The files that differ from a commit's, new ones included; undefined where git does not know the commit. */
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
  /** How many sabotages are not tried this time. */
  readonly left: number
  /** Whether every lesson runs each time, not only those that can tell. */
  readonly isWhole: boolean
  /** Whether the observations are kept in fixtures/observations. */
  readonly isRecording: boolean
  /** Whether a cluster in which nothing is broken must pass all lessons, too. */
  readonly triesUnbroken: boolean
}

async function tryAll(chosen: readonly Sabotage[], scope: Scope): Promise<Counts> {
  await prepareArtifacts(componentNames, readSettings(), terminalProgress()) // Once, and not by several graders at a time.
  const recordings = scope.isRecording ? await mkdtemp(join(tmpdir(), "byhand-recordings-")) : undefined
  const environment = recordings === undefined ? {} : { BYHAND_RECORD: recordings }
  const graders = Array.from(
    { length: GRADERS_OF_A_CORE * availableParallelism() },
    () => new Grader({ BYHAND_PATIENCE: PATIENCE, ...environment }, HANGING),
  )
  try {
    return await tryWith(graders, chosen, scope, recordings)
  } finally {
    for (const grader of graders) grader[Symbol.dispose]()
    if (recordings !== undefined) await rm(recordings, { recursive: true, force: true })
  }
}

async function tryWith(
  graders: readonly Grader[],
  chosen: readonly Sabotage[],
  { left, isWhole, triesUnbroken }: Scope,
  recordings: string | undefined,
): Promise<Counts> {
  const [first] = graders
  if (first === undefined) throw new RangeError("There is no grader.")
  const tests = allTests()
  const proofs = new Map<Sabotage, Proof>()
  const tell = (proven: Proof) => {
    const proof = recordings === undefined ? proven : recorded(proven, recordings)
    proofs.set(proof.sabotage, proof)
    const { sabotage, mistakes, seconds } = proof
    process.stdout.write(
      `${mistakes.length === 0 ? "✓" : "✗"} ${sabotage.id.padEnd(40)} ${seconds.toFixed(0).padStart(4)} s  ${sabotage.breaks}\n`,
    )
    for (const mistake of mistakes) process.stdout.write(`    ${mistake}\n`)
  }
  const tryTogether = async (grader: Grader, group: readonly Sabotage[]): Promise<void> => {
    const [sabotage] = group
    if (sabotage === undefined) return
    if (isForDoctor(sabotage)) (await proveByDoctor(grader, group)).forEach(tell)
    else tell(await proveByLessons(grader, sabotage, tests, isWhole))
  }
  const mistyped = chosen.filter((sabotage) => unknownTests(sabotage, tests).length > 0)
  for (const sabotage of mistyped)
    tell({
      sabotage,
      verdicts: new Map(),
      mistakes: unknownTests(sabotage, tests).map((name) => `there is no test ${name} …`),
      seconds: 0,
    })
  const unbroken: string[] = []
  const tryUnbroken = async (grader: Grader): Promise<void> => {
    unbroken.push(...(await proveUnbroken(grader)))
    process.stdout.write(`${unbroken.length === 0 ? "✓" : "✗"} nothing is broken\n`)
    for (const mistake of unbroken) process.stdout.write(`unbroken: ${mistake}\n`)
  }
  const groups = groupsOf(chosen.filter((sabotage) => !mistyped.includes(sabotage)))
  const queue = [
    ...(triesUnbroken ? [tryUnbroken] : []),
    ...groups.map((group) => (grader: Grader) => tryTogether(grader, group)),
  ]
  await Promise.all(
    graders.map(async (grader) => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await next(grader)
    }),
  )
  // Several at a time may have disturbed each other: what went wrong then must go right alone.
  const again = [...proofs.values()].filter(({ mistakes }) => mistakes.length > 0).map(({ sabotage }) => sabotage)
  if (again.length > 0) process.stdout.write(`\n${again.length} once more, alone:\n`)
  for (const sabotage of again) if (!mistyped.includes(sabotage)) await tryTogether(first, [sabotage])

  const all = chosen.flatMap((sabotage) => proofs.get(sabotage) ?? [])
  process.stdout.write(`\n${matrix(tests, all)}`)
  const isAll = chosen.length === sabotages.length
  // Where a part runs, the predictions count: each is proved where its sabotage runs.
  const unfailed = tests.filter((test) =>
    isAll
      ? !all.some(({ verdicts }) => verdicts.get(test) === "failed")
      : !sabotages.some(({ fails }) => fails.some((name) => test.startsWith(name))),
  )
  for (const test of unfailed) process.stdout.write(`No sabotage can fail this test: ${test}\n`)
  const failed =
    all.filter(({ mistakes }) => mistakes.length > 0).length + (unbroken.length > 0 ? 1 : 0) + unfailed.length
  const count = all.length + (triesUnbroken ? 1 : 0) + (isAll ? tests.length : unfailed.length)
  return { passed: count - failed, failed, skipped: left }
}

/** A proof whose recording was kept; that there is none is a mistake. A proof with mistakes is no reason to record anything. */
function recorded(proof: Proof, recordings: string): Proof {
  if (proof.mistakes.length > 0) return proof
  const mistake = keepRecording(recordings, proof.sabotage)
  return mistake === undefined ? proof : { ...proof, mistakes: [mistake] }
}

/** Sabotages that one grader tries one after another; the groups that take longest come first. */
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

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode =
    error instanceof UsageError ? 2 : error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : 1
}

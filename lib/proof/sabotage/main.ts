import { Command, CommanderError } from "commander"
import { availableParallelism } from "node:os"
import { messageOf, UsageError } from "../../base/errors.ts"
import { terminalProgress } from "../../base/progress-terminal.ts"
import { equip } from "../../clusters/equipment.ts"
import { readSettings } from "../../base/settings.ts"
import { sabotageOf, sabotages } from "./all.ts"
import { matrix } from "./matrix.ts"
import { prove, unbroken, type Proof } from "./prove.ts"
import type { Sabotage } from "./sabotage.ts"

const LAST_LESSON = 7
/** Sabotages for each core: most of the time they wait for what will not come. */
const AT_A_TIME = 2

const program = new Command("sabotage")
  .description(
    "Breaks the cluster in every known way, one at a time, and checks that the lessons notice, say why, and notice nothing else.",
  )
  .argument("[ids...]", "the sabotages to try; all by default, and then each test must be failed by one at least")
  .option("--list", "name them and go")
  .option("--whole", "run every lesson each time, not only those that can tell")
  .exitOverride()
  .action(async (ids: string[], { list, whole }: { list?: boolean; whole?: boolean }) => {
    const chosen = ids.length > 0 ? ids.map(sabotageOf) : sabotages
    if (list === true) process.stdout.write(chosen.map(({ id, breaks }) => `${id.padEnd(40)}  ${breaks}\n`).join(""))
    else process.exitCode = (await tryAll(chosen, ids.length === 0, whole === true)) ? 0 : 1
  })

async function tryAll(chosen: readonly Sabotage[], isAll: boolean, isWhole: boolean): Promise<boolean> {
  await equip(LAST_LESSON, readSettings(), terminalProgress()) // Once, and not by two at a time.
  const healthy = await unbroken()
  for (const mistake of healthy.mistakes) process.stdout.write(`unbroken: ${mistake}\n`)
  const proofs: Proof[] = []
  const tryThis = async (at: number, sabotage: Sabotage) => {
    const proof = await prove(sabotage, healthy.tests, isWhole)
    proofs[at] = proof
    process.stdout.write(
      `${proof.mistakes.length === 0 ? "✓" : "✗"} ${sabotage.id.padEnd(40)} ${proof.seconds.toFixed(0).padStart(4)} s  ${sabotage.breaks}\n`,
    )
    for (const mistake of proof.mistakes) process.stdout.write(`    ${mistake}\n`)
  }
  const queue = [...chosen.entries()]
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) await tryThis(...next)
  }
  await Promise.all(Array.from({ length: AT_A_TIME * availableParallelism() }, worker))
  // Several at a time may have been in each other's way: what went wrong then must go right alone.
  const again = [...proofs.entries()].filter(([, { mistakes }]) => mistakes.length > 0)
  if (again.length > 0) process.stdout.write(`\n${again.length} once more, alone:\n`)
  for (const [at, { sabotage }] of again) await tryThis(at, sabotage)

  process.stdout.write(`\n${matrix(healthy.tests, proofs)}`)
  const unfailed = isAll
    ? healthy.tests.filter((test) => !proofs.some(({ verdicts }) => verdicts.get(test) === "failed"))
    : []
  for (const test of unfailed) process.stdout.write(`No sabotage can fail this test: ${test}\n`)
  const failed =
    proofs.filter(({ mistakes }) => mistakes.length > 0).length +
    (healthy.mistakes.length > 0 ? 1 : 0) +
    unfailed.length
  const all = proofs.length + 1 + (isAll ? healthy.tests.length : 0)
  process.stdout.write(`\n${all - failed} passed, ${failed} failed, 0 skipped\n`)
  return failed === 0
}

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode =
    error instanceof UsageError
      ? 2
      : error instanceof CommanderError && error.exitCode === 0
        ? 0
        : error instanceof CommanderError
          ? 2
          : 1
}

import { z } from "zod"
import type { Machine } from "../machines/machine.ts"
import { linesOf, type Operation } from "./history.ts"

/** The verdict on a history. "unknown": porcupine has not come to an end in time. */
const Judgement = z.object({
  verdict: z.enum(["linearizable", "not linearizable", "unknown"]),
  /** The operations that tell something. */
  operations: z.number(),
  keys: z.number(),
  /** The keys whose operations no order explains. */
  violations: z.array(z.string()),
})
export type Judgement = z.infer<typeof Judgement>

/** The part of a machine that is needed here. */
export type Runner = Pick<Machine, "run">

/** How long porcupine may take, in milliseconds. Its own limit is not always kept. */
const LIMIT = 20_000

/** The exit code of a command that was ended at its time limit by SIGKILL. */
const KILLED = 137

/** Why a machine cannot judge a history; undefined if it can. */
export async function porcupineLacks(machine: Runner): Promise<string | undefined> {
  const { exitCode } = await machine.run(["sh", "-c", "command -v porcupine"])
  return exitCode === 0
    ? undefined
    : "porcupine, which judges the history, is missing: it is built by Go from its module proxy"
}

/**
 * Whether a history is linearizable: whether each operation can have taken effect at one moment between its start and
 * its end.
 * @param path where porcupine writes its visualization, on the machine
 * @throws Error if porcupine cannot read the history
 */
export async function judge(machine: Runner, history: readonly Operation[], path: string): Promise<Judgement> {
  const { stdout, stderr, exitCode } = await machine.run(
    ["timeout", "--signal=KILL", String(LIMIT / 1000), "porcupine", path],
    { input: linesOf(history), timeout: 2 * LIMIT },
  )
  if (exitCode === KILLED) return { verdict: "unknown", operations: history.length, keys: 0, violations: [] }
  if (exitCode !== 0) throw new Error(`porcupine ended with status ${exitCode}: ${stderr.trim()}`)
  return Judgement.parse(JSON.parse(stdout))
}

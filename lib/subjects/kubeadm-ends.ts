import type { Access } from "../components/discovery/access.ts"
import { findProcesses } from "../components/discovery/process.ts"
import { failureOf } from "../failures/thrown.ts"
import { attemptUntil, WaitError } from "../failures/until.ts"
import { COMPLETE } from "../kubeadm/typed.ts"
import type { Machine } from "../machines/machine.ts"
import type { Run } from "./around.ts"
import { stuckPlace } from "./ending.ts"

/** How long kubeadm may take to start all components (milliseconds). It gives up itself after four minutes. */
const KUBEADM = 300_000
/** How long its cluster may take to be complete then, and its script to finish what it does after it (milliseconds). */
const AFTER_KUBEADM = 30_000

/**
 * Waits until no script runs kubeadm any more, and until its cluster is complete. kubeadm starts one component after
 * another and gives up if one of them is ended meanwhile, as a lesson may do. What its script does after it needs the
 * components too.
 * @param runs of the scripts on this machine that go on
 * @param access of an administrator; undefined on a machine that only joins
 */
export async function kubeadmEnds(
  machine: Machine,
  runs: readonly Run[],
  access: (() => Promise<Access>) | undefined,
): Promise<void> {
  const isThere = async () => (await machine.run(["pgrep", "-x", "kubeadm"])).exitCode === 0
  if (runs.length === 0 || !(await isThere())) return
  await until("kubeadm ends", KUBEADM, async () => !(await isThere()))
  for (const run of runs)
    await until(`${run.name} needs nothing more`, AFTER_KUBEADM, async () => {
      return (await stuckPlace(run, await findProcesses(machine))) === undefined
    })
  const found = await access?.().catch(() => undefined) // kubeadm can have failed.
  if (found === undefined) return
  const options = { env: { KUBECONFIG: found.kubeconfig }, timeout: AFTER_KUBEADM }
  await until("kubeadm's cluster is complete", AFTER_KUBEADM, async () => {
    return (await machine.run(["sh", "-ec", COMPLETE], options)).exitCode === 0
  })
}

/** Waits until something is so, at most so long (milliseconds). What is not complete then, the lessons will report. */
async function until(what: string, patience: number, isSo: () => Promise<boolean>): Promise<void> {
  const attempt = async () => {
    if (!(await isSo())) throw new Error(`not yet: ${what}`)
  }
  await attemptUntil(attempt, { what, patience, failureOf, foresee: undefined }).catch((error: unknown) => {
    if (!(error instanceof WaitError)) throw error
  })
}

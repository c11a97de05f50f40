import { Pace } from "../base/pace.ts"
import type { Access } from "../components/discovery/access.ts"
import { findProcesses } from "../components/discovery/process.ts"
import { Wait } from "../failures/wait.ts"
import { COMPLETE } from "../kubeadm/typed.ts"
import type { Machine } from "../machines/machine.ts"
import type { Run } from "./around.ts"
import { stuckPlace } from "./ending.ts"

const POLL_INTERVAL = 100
/** How long kubeadm may take to start all components (milliseconds). It gives up itself after four minutes. */
const KUBEADM = 300_000
/** How long its cluster may take to be complete then, and its script to finish what it does after it (milliseconds). */
const AFTER_KUBEADM = 30_000

/**
 * Waits until no script runs kubeadm any more, and until its cluster is complete. kubeadm starts one component after
 * another and gives up if one of them is ended meanwhile, as a lesson may do. What its script does after it needs the
 * components too.
 * @param runs of the scripts on this machine
 * @param access of an administrator; undefined on a machine that only joins
 */
export async function kubeadmEnds(
  machine: Machine,
  runs: readonly Run[],
  access: (() => Promise<Access>) | undefined,
): Promise<void> {
  const goingOn = runs.filter(({ exit }) => exit === undefined)
  const isThere = async () => (await machine.run(["pgrep", "-x", "kubeadm"])).exitCode === 0
  if (goingOn.length === 0 || !(await isThere())) return
  using _ = new Wait("kubeadm ends", () => undefined, undefined)
  const isStuck = async (run: Run) => (await stuckPlace(run, await findProcesses(machine))) !== undefined
  await until(KUBEADM, async () => !(await isThere()))
  for (const run of goingOn) await until(AFTER_KUBEADM, async () => !(await isStuck(run)))
  const found = await access?.().catch(() => undefined) // kubeadm can have failed.
  if (found === undefined) return
  const options = { env: { KUBECONFIG: found.kubeconfig }, timeout: AFTER_KUBEADM }
  await until(AFTER_KUBEADM, () =>
    machine.run(["sh", "-ec", COMPLETE], options).then(
      ({ exitCode }) => exitCode === 0,
      () => false, // It did not end in time.
    ),
  )
}

/** Waits until something is so, at most so long (milliseconds). */
async function until(time: number, isSo: () => Promise<boolean>): Promise<void> {
  const pace = new Pace(POLL_INTERVAL)
  for (const since = performance.now(); performance.now() - since < time; await pace.pause()) if (await isSo()) return
}

import { entered, environmentOf, imagesOn, standInsOn } from "./inside.ts"
import { UsageError } from "../base/errors.ts"
import type { Machine } from "../machines/machine.ts"
import { isMachineName, MACHINES, type MachineName } from "../machines/network.ts"
import { settingsOf, type ShellOptions } from "./options.ts"
import { addressed, theRun, type Run } from "./runs.ts"

/**
 * Runs a shell on the machine with this terminal, or one command if words are given. On a machine of lessons, kubectl,
 * etcdctl and ctr find the cluster that was graded.
 * @returns the exit status of the shell or the command
 */
export async function shell(words: readonly string[], options: ShellOptions): Promise<number> {
  const run = await theRun(settingsOf(options), options)
  const on = await furtherOf(run, options.on)
  const machine = on === undefined ? run.machine : await run.network.machine(on)
  const environment = run.purpose === undefined ? {} : await environmentOf(machine)
  if (words.length === 0)
    process.stderr.write(`${[...(await introduction(run, machine, environment)), ...imagesOn(machine)].join("\n")}\n`)
  return run.enter(entered(words, environment), on)
}

/**
 * The further machine that --on names; undefined for the first machine. Only lessons start the machines of a graded
 * cluster.
 * @throws UsageError if there is no such machine
 */
async function furtherOf({ machine, network, purpose }: Run, on: string | undefined): Promise<MachineName | undefined> {
  if (on === undefined || on === machine.name) return undefined
  const running = await network.running()
  if (isMachineName(on) && (purpose === undefined || running.includes(on))) return on
  throw new UsageError(
    `This run has no machine ${on}.`,
    purpose === undefined
      ? `Name one of ${Object.keys(MACHINES).join(", ")}.`
      : `Its machines are: ${[machine.name, ...running].join(", ")}.`,
  )
}

/** What a person needs to know on the machine of a learner's cluster. */
async function introduction(
  run: Run,
  machine: Machine,
  { KUBECONFIG: kubeconfig }: Readonly<Record<string, string>>,
): Promise<string[]> {
  if (run.purpose === undefined) return []
  const standIns = await standInsOn(machine)
  const others = (await run.network.running()).filter((name) => name !== machine.name)
  const { subject } = run.purpose
  return [
    `This is the machine ${machine === run.machine ? "" : `${machine.name} `}of ${subject ?? "our own cluster"}${run.owner === undefined ? "" : ", which is graded right now"}.`,
    ...(standIns.length === 0 ? [] : [`${standIns.join(", ")}: ours, in place of the learner's.`]),
    ...(kubeconfig === undefined ? ["No kubeconfig was found."] : [`KUBECONFIG=${kubeconfig}`]),
    ...(subject === null ? [] : ["The scripts are in /root/cluster."]),
    "The logs are in /var/log/byhand.",
    ...others.map((name) => `Another machine of the run: ${addressed("shell", run)} --on ${name}`),
    `Leave this shell with: exit${run.owner === undefined ? `   End the machine with: ${addressed("down", run)}` : ""}`,
  ]
}

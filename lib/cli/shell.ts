import { environmentOf, imagesOn, standInsOn } from "./inside.ts"
import { settingsOf, type ClusterOptions } from "./options.ts"
import { addressed, theRun, type Run } from "./runs.ts"

/**
 * Runs a shell on the machine with this terminal, or one command if words are given. On a machine of lessons, kubectl,
 * etcdctl and ctr find the cluster that was graded.
 * @returns the exit status of the shell or the command
 */
export async function shell(words: readonly string[], options: ClusterOptions): Promise<number> {
  const run = await theRun(settingsOf(options), options)
  const environment = run.purpose === undefined ? {} : await environmentOf(run.machine)
  if (words.length === 0)
    process.stderr.write(`${[...(await introduction(run, environment)), ...imagesOn(run.machine)].join("\n")}\n`)
  const ignore = () => undefined
  process.on("SIGINT", ignore).on("SIGQUIT", ignore) // Ctrl-C is for the process on the machine.
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  return run.enter([
    ...(variables.length === 0 ? [] : ["env", ...variables]),
    ...(words.length > 0 ? words : ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"]),
  ])
}

/** What a person needs to know on the machine of a learner's cluster. */
async function introduction(run: Run, { KUBECONFIG: kubeconfig }: Readonly<Record<string, string>>): Promise<string[]> {
  if (run.purpose === undefined) return []
  const standIns = await standInsOn(run.machine)
  const { subject } = run.purpose
  return [
    `This is the machine of ${subject ?? "our own cluster"}${run.owner === undefined ? "" : ", which is graded right now"}.`,
    ...(standIns.length === 0 ? [] : [`${standIns.join(", ")}: ours, in place of the learner's.`]),
    ...(kubeconfig === undefined ? ["No kubeconfig was found."] : [`KUBECONFIG=${kubeconfig}`]),
    ...(subject === null ? [] : ["The scripts are in /root/cluster."]),
    "The logs are in /var/log/byhand.",
    `Leave this shell with: exit${run.owner === undefined ? `   End the machine with: ${addressed("down", run)}` : ""}`,
  ]
}

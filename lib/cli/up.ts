import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { Cluster, runnableOn } from "../clusters/cluster.ts"
import { extras, prepareArtifacts } from "../clusters/artifacts.ts"
import { APISERVER_PORT } from "../components/apiserver.ts"
import { explain, foresee } from "../diagnosis/explain.ts"
import { failureOf } from "../failures/thrown.ts"
import { attemptUntil, WaitError } from "../failures/until.ts"
import { httpGet } from "../clients/http-get.ts"
import { checkExcept } from "../curriculum/except.ts"
import { admit, makeRunsDir } from "../machines/admission.ts"
import { messageOf, RemediedError, UsageError } from "../base/errors.ts"
import { kubeconfig } from "../kubeconfig/kubeconfig.ts"
import { identify } from "../machines/identity.ts"
import type { Machine } from "../machines/machine.ts"
import { chooseProvider } from "../machines/providers.ts"
import { silentProgress } from "../base/progress-silent.ts"
import { terminalProgress } from "../base/progress-terminal.ts"
import { packageRoot, type Settings } from "../base/settings.ts"
import { quote } from "../base/shell.ts"
import { imagesOn } from "./inside.ts"
import { nameOf, settingsOf, typed, type CommonOptions, type Outcome } from "./options.ts"
import {
  accessOf,
  findRun,
  hasKubeconfig,
  idOf,
  kubeconfigOf,
  kubernetesOf,
  relayOf,
  vacate,
  type Run,
} from "./runs.ts"

/** The components run, but an object that they must create is not there, or not ready. */
class NotReadyError extends RemediedError {}

/** The relay, the process that forwards a port of the host to the machine, did not start. */
class RelayError extends RemediedError {}

/** When each milestone was reached, in milliseconds since the command was started. */
type Milestones = Record<string, number>

/** Starts a cluster and leaves it running. If that fails or is interrupted, nothing of the cluster is left. */
export async function up(options: CommonOptions & { readonly empty?: boolean }): Promise<Outcome> {
  const settings = settingsOf(options)
  if (settings.sabotage !== undefined)
    throw new UsageError(
      "BYHAND_SABOTAGE is set, but byhand up does not break clusters: only the lessons do.",
      "Unset it, or use it with: npx byhand grade",
    )
  const name = nameOf(options)
  const running = await findRun(settings, name)
  if (running !== undefined && running.owner === undefined) return alreadyUp(running, options)
  checkExcept(settings.except)
  await admit(settings, idOf(name))
  makeRunsDir(settings)
  await vacate(settings, name)

  const milliseconds: Milestones = {}
  const reached = (milestone: string) => {
    milliseconds[milestone] = Math.round(performance.now())
  }
  const progress = terminalProgress()
  const provider = await chooseProvider(settings)
  await provider.prepare(progress)
  const availability = await provider.available()
  const privileged = !availability.isAvailable || availability.lacks === undefined
  const names = runnableOn({ privileged })
  // The transcript of an empty machine also uses the further programs of lessons.
  const artifacts = await prepareArtifacts(options.empty === true ? [...names, ...extras] : names, settings, progress)
  reached("artifacts")
  const started = await provider.start({ name, id: idOf(name), binds: artifacts.binds })
  reached("machine")
  try {
    if (options.empty !== true) {
      const cluster: Cluster = new Cluster({
        machine: started.machine,
        images: artifacts.images,
        patience: settings.patience,
        explain: async (failure) => (await explain(started.machine, failure, { known: cluster.known() })).finding,
        foresee: (failure) => foresee(started.machine, failure, { known: cluster.known() }, "components"),
      })
      // A few seconds are normal: only a person who watches is told.
      await (process.stderr.isTTY ? progress : silentProgress).task(`Starting the components of ${name}`, () =>
        Promise.all([bringUp(cluster, settings, reached), openToHost(cluster, started.folder)]),
      )
    }
    await started.detach()
  } catch (error) {
    await started.machine.close()
    throw error
  }
  return {
    text:
      `${name} is up after ${(performance.now() / 1000).toFixed(1)} s${options.empty === true ? ", with nothing running in it" : `: Kubernetes ${settings.kubernetes}`}.\n` +
      (started.machine.privileged || options.empty === true
        ? ""
        : `It has no Node: ${started.machine.lacks ?? ""}.\n`) +
      (await howToUse(name, started.folder, started.machine)),
    data: {
      name,
      folder: started.folder,
      kubeconfig: options.empty === true ? null : kubeconfigOf(started.folder),
      kubernetes: settings.kubernetes,
      milliseconds,
    },
  }
}

async function alreadyUp({ name, machine, folder, since }: Run, options: CommonOptions): Promise<Outcome> {
  const kubernetes = await kubernetesOf(machine, await accessOf(machine))
  if (options.kubernetes !== undefined && kubernetes !== undefined && kubernetes !== settingsOf(options).kubernetes) {
    throw new UsageError(
      `${name} is up already, with Kubernetes ${kubernetes}.`,
      `End it first with ${typed("down", name)}, or give the new cluster another --name.`,
    )
  }
  return {
    text: `${name} is up already, since ${since.toLocaleString("sv")}.\n${await howToUse(name, folder, machine)}`,
    data: {
      name,
      folder,
      kubeconfig: (await hasKubeconfig(folder)) ? kubeconfigOf(folder) : null,
      kubernetes: kubernetes ?? null,
      since,
    },
  }
}

async function howToUse(name: string, folder: string, machine: Machine): Promise<string> {
  return [
    ...((await hasKubeconfig(folder)) ? [`export KUBECONFIG=${quote([kubeconfigOf(folder)])}`] : []),
    `A shell inside, with kubectl, etcdctl and ctr: ${typed("shell", name)}`,
    `What runs:                                     ${typed("status", name)}`,
    `To end it:                                     ${typed("down", name)}`,
    ...imagesOn(machine),
  ]
    .map((line) => `${line}\n`)
    .join("")
}

/**
 * Starts the API first, because a person can work with it before there is a Node, and the rest as soon as it answers.
 */
async function bringUp(cluster: Cluster, settings: Settings, reached: (milestone: string) => void): Promise<void> {
  const { machine } = cluster
  const namespace = until("default namespace", cluster, settings, "/api/v1/namespaces/default", () => true).then(() =>
    reached("namespace"),
  )
  const runtime = namespace.then(() => cluster.up(cluster.ahead))
  await Promise.all([cluster.up(["kube-apiserver"]), runtime])
  await cluster.up()
  reached("components")
  if (!machine.privileged) return
  await until("Node", cluster, settings, `/api/v1/nodes/${machine.name}`, isReadyNode)
  reached("node")
}

/** Waits for an object that the components create by themselves. @throws NotReadyError */
async function until(
  what: string,
  cluster: Cluster,
  settings: Settings,
  path: string,
  isReady: (body: string) => boolean,
): Promise<void> {
  const { machine, token } = cluster
  const attempt = async () => {
    const ca = await cluster.ca()
    const { status, body } = await httpGet(machine, { port: APISERVER_PORT, path, ca, token })
    if (status !== 200 || !isReady(body)) throw new Error(`${path} is not ready: kube-apiserver answers ${status}`)
  }
  try {
    await attemptUntil(attempt, {
      what: `the ${what} is ready`,
      // Longer than the timeout of a component, whose error is more precise than this one.
      patience: 2 * settings.patience,
      failureOf,
      foresee: undefined, // Before the first Pod, some things that the lessons rely on are not there yet.
    })
  } catch (error) {
    if (!(error instanceof WaitError)) throw error
    const { cause } = error
    const { finding } = await explain(machine, failureOf(cause), { known: cluster.known() })
    throw new NotReadyError(
      `The ${what} did not become ready: ${finding?.cause ?? messageOf(cause)}.`,
      finding?.remedy ?? "On a slow host, set BYHAND_PATIENCE=SECONDS.",
      { cause },
    )
  }
}

const node = z.object({
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) }),
})

function isReadyNode(body: string): boolean {
  return node
    .parse(JSON.parse(body))
    .status.conditions.some(({ type, status }) => type === "Ready" && status === "True")
}

/**
 * Opens a port of the host that leads to kube-apiserver until the machine ends, and writes a kubeconfig that names
 * it.
 */
async function openToHost(cluster: Cluster, folder: string): Promise<void> {
  const relay = spawn(
    process.execPath,
    [join(packageRoot, "dist", "cli", "relay.js"), folder, String(APISERVER_PORT)],
    { detached: true, cwd: "/", stdio: ["ignore", "pipe", "ignore"] },
  )
  relay.unref()
  const address: unknown[] = await Promise.race([once(relay.stdout, "data"), once(relay, "exit").then(() => [])])
  if (relay.pid === undefined || address.length === 0)
    throw new RelayError("The relay, which forwards a port of the host to the machine, has ended.", "Try again.")
  relay.stdout.destroy()
  await writeFile(relayOf(folder), identify(relay.pid))
  await writeFile(
    kubeconfigOf(folder),
    kubeconfig({
      server: `https://${String(address[0]).trim()}`,
      ca: { pem: await cluster.ca() },
      user: { token: cluster.token },
    }),
    { mode: 0o600 },
  )
}

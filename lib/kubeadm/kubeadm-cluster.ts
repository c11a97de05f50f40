import { RemediedError } from "../base/errors.ts"
import { Cluster, type ClusterOptions } from "../clusters/cluster.ts"
import { logOf } from "../components/component.ts"
import { withoutHostDevices } from "../components/containerd.ts"
import type { Failure } from "../failures/failure.ts"
import { Wait } from "../failures/wait.ts"
import type { Machine } from "../machines/machine.ts"
import type { MachineName, Network } from "../machines/network.ts"
import {
  ADMIN_CONF,
  INIT,
  initConfig,
  JOIN,
  joinConfig,
  KUBEADM_CONFIG,
  KUBELET_UNIT,
  IMAGES_OF_NODE,
  PREPARE,
  pushImages,
  type Invitation,
} from "./typed.ts"

/** kubeadm, or something that it needs, failed. */
class KubeadmError extends RemediedError {}

/** The machines of the cluster: the one on which it is made, and the one that joins. */
const KUBEADM_MACHINES = ["kubeadm-1", "kubeadm-2"] as const

/** The file on the first machine with what `kubeadm init` has printed, if it has succeeded. */
const PRINTED = "/run/byhand/kubeadm-init"

/** The file that marks a machine on which kubeadm was used. */
const USED = "/run/byhand/kubeadm-used"

/** How a command of kubeadm ended, and what it has printed. */
export interface KubeadmResult {
  readonly exitCode: number
  readonly output: string
}

export interface KubeadmOptions extends Pick<ClusterOptions, "images" | "alter"> {
  readonly network: Network
  /** The longest time that kubeadm may take (milliseconds). */
  readonly patience: number
}

/** A cluster that kubeadm makes, on machines of its own. Its components run in containers, as static Pods. */
export class KubeadmCluster {
  /** The machine of the control plane. */
  readonly machine: Machine
  /** What `kubeadm init` has printed. */
  readonly printed: string
  readonly #options: KubeadmOptions
  /** The second machine, when it is ready to join. */
  #second: Promise<Machine> | undefined

  private constructor(machine: Machine, printed: string, options: KubeadmOptions) {
    this.machine = machine
    this.printed = printed
    this.#options = options
  }

  /**
   * Makes a cluster with `kubeadm init`, on the first of its machines, unless it is there.
   * @throws KubeadmError with the last lines of kubeadm
   */
  static async init(options: KubeadmOptions): Promise<KubeadmCluster> {
    const [name] = KUBEADM_MACHINES
    const there = (await options.network.running()).includes(name)
      ? await KubeadmCluster.#madeBefore(options)
      : undefined
    if (there !== undefined) return there
    const machine = await prepared(name, options)
    await machine.write(KUBEADM_CONFIG, initConfig(await versionOn(machine), machine.address), 0o600)
    const { exitCode, output } = await withKubelet(machine, INIT, options)
    if (exitCode !== 0)
      throw new KubeadmError(
        `kubeadm init failed: ${errorsIn(output) ?? endOf(output)}.`,
        "npx byhand hint 12 3 prints what was typed. Try it in an empty machine: npx byhand up --empty",
      )
    await machine.write(PRINTED, output)
    return new KubeadmCluster(machine, output, options)
  }

  /** The cluster that an earlier attempt of byhand watch has made, without the machine that has joined. */
  static async #madeBefore(options: KubeadmOptions): Promise<KubeadmCluster | undefined> {
    const { network } = options
    const [name, second] = KUBEADM_MACHINES
    const machine = await network.machine(name)
    const printed = await machine.read(PRINTED).catch(() => undefined)
    if (printed === undefined) return undefined
    const cluster = new KubeadmCluster(machine, printed.toString(), options)
    if ((await network.running()).includes(second)) await (await network.machine(second)).close()
    await cluster.kubectl("delete", "node", second, "--ignore-not-found")
    return cluster
  }

  /** What a machine needs to join. The token is new. */
  async invitation(): Promise<Invitation> {
    const command = await said(this.machine, ["kubeadm", "token", "create", "--print-join-command"])
    const [, endpoint = "", token = "", caHash = ""] = /join (\S+) --token (\S+) .*hash (\S+)/.exec(command) ?? []
    return { endpoint, token, caHash }
  }

  /**
   * Lets the second machine join the cluster.
   * @param seconds after which kubeadm no longer looks for the cluster
   */
  async join(invitation: Invitation, seconds?: number): Promise<KubeadmResult> {
    const machine = await (this.#second ??= prepared(KUBEADM_MACHINES[1], this.#options, IMAGES_OF_NODE))
    await machine.write(KUBEADM_CONFIG, joinConfig(invitation, seconds), 0o600)
    return withKubelet(machine, JOIN, this.#options)
  }

  /** Runs kubectl as the administrator of this cluster. @returns what it printed @throws KubeadmError */
  readonly kubectl = (...words: readonly string[]): Promise<string> =>
    said(this.machine, ["kubectl", "--kubeconfig", ADMIN_CONF, ...words])
}

/** A machine on which no attempt of kubeadm has left anything: that of an earlier one ends. */
async function emptyMachine(name: MachineName, network: Network): Promise<Machine> {
  const found = await network.machine(name)
  if ((await found.run(["test", "-e", USED])).exitCode === 0) await found.close()
  const machine = await network.machine(name)
  await machine.write(USED, "")
  return machine
}

/** Runs kubeadm beside something that starts the kubelet when kubeadm has written its files, as systemd does. */
async function withKubelet(
  machine: Machine,
  argv: readonly string[],
  { patience }: KubeadmOptions,
): Promise<KubeadmResult> {
  const waiting = "pgrep -f '^sh -c until'"
  if ((await machine.run(["sh", "-c", waiting])).exitCode !== 0)
    await machine.spawn(["sh", "-c", KUBELET_UNIT], { log: logOf("kubelet") })
  const command = argv.slice(0, 2).join(" ")
  let printed = ""
  const failure = (): Failure => ({ kind: "thrown", name: command, message: endOf(printed, 1), code: undefined })
  using _ = new Wait(`${command} ends`, failure, undefined)
  const { exitCode, stdout, stderr } = await machine.run(argv, {
    timeout: 4 * patience,
    onOutput: (chunk) => {
      printed += chunk.toString()
    },
  })
  return { exitCode, output: withoutTokens(`${stdout}${stderr}`) }
}

/** The version of Kubernetes, such as v1.37.2. */
function versionOn(machine: Machine): Promise<string> {
  return said(machine, ["kubeadm", "version", "--output=short"])
}

/**
 * A machine with what kubeadm needs: containerd, and the images that it requests.
 * @param only the images that are made; by default all
 */
async function prepared(
  name: MachineName,
  { network, images, patience, alter }: KubeadmOptions,
  only?: string,
): Promise<Machine> {
  const machine = await emptyMachine(name, network)
  const cluster = new Cluster({
    machine,
    images,
    patience,
    alter: (component, on) => withoutHostDevices(alter?.(component, on) ?? component),
  })
  await cluster.up(["containerd", "registry"])
  await said(machine, ["sh", "-ec", PREPARE])
  using _ = new Wait("the registry has the images that kubeadm requests", () => undefined, undefined)
  await said(machine, ["sh", "-c", pushImages(only)])
  return machine
}

/** What a command prints. @throws KubeadmError if it fails */
async function said(machine: Machine, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr, command } = await machine.run(argv)
  if (exitCode !== 0)
    throw new KubeadmError(`${command} failed on ${machine.name}: ${endOf(stderr)}.`, "Run it there to see more.")
  return stdout.trim()
}

/** An output that may be shown: a token in it lets every machine join. */
function withoutTokens(output: string): string {
  return output.replaceAll(/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, "TOKEN")
}

/** What kubeadm calls errors in its output, as one line; undefined if there is nothing. */
function errorsIn(output: string): string | undefined {
  const errors = output.split("\n").filter((line) => /^\s*\[ERROR |^error: /.test(line))
  return errors.length === 0 ? undefined : errors.map((line) => line.trim()).join("; ")
}

/** The last lines of an output, as one line. */
function endOf(output: string, lines = 3): string {
  return output.trim().split("\n").slice(-lines).join(" ")
}

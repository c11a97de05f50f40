import { RemediedError } from "../base/errors.ts"
import { Cluster, type ClusterOptions } from "../clusters/cluster.ts"
import { logOf } from "../components/component.ts"
import { withoutHostDevices } from "../components/containerd.ts"
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
export const KUBEADM_MACHINES = ["kubeadm-1", "kubeadm-2"] as const

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
   * Makes a cluster with `kubeadm init`, on the first of its machines.
   * @throws KubeadmError with the last lines of kubeadm
   */
  static async init(options: KubeadmOptions): Promise<KubeadmCluster> {
    const machine = await prepared(KUBEADM_MACHINES[0], options)
    await machine.write(KUBEADM_CONFIG, initConfig(await versionOn(machine), machine.address), 0o600)
    const { exitCode, output } = await withKubelet(machine, INIT, options)
    if (exitCode !== 0) throw new KubeadmError(`kubeadm init failed: ${endOf(output)}.`, "Read what it printed above.")
    return new KubeadmCluster(machine, output, options)
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
  async join(invitation: Invitation, seconds?: number): Promise<KubeadmResult & { readonly machine: Machine }> {
    const machine = await (this.#second ??= prepared(KUBEADM_MACHINES[1], this.#options, IMAGES_OF_NODE))
    await machine.write(KUBEADM_CONFIG, joinConfig(invitation, seconds), 0o600)
    return { machine, ...(await withKubelet(machine, JOIN, this.#options)) }
  }

  /** Runs kubectl as the administrator of this cluster. @returns what it printed @throws KubeadmError */
  readonly kubectl = (...words: readonly string[]): Promise<string> =>
    said(this.machine, ["kubectl", "--kubeconfig", ADMIN_CONF, ...words])
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
  const { exitCode, stdout, stderr } = await machine.run(argv, { timeout: 4 * patience })
  return { exitCode, output: `${stdout}${stderr}` }
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
  const machine = await network.machine(name)
  const cluster = new Cluster({
    machine,
    images,
    patience,
    alter: (component, on) => withoutHostDevices(alter?.(component, on) ?? component),
  })
  await cluster.up(["containerd", "registry"])
  await said(machine, ["sh", "-ec", PREPARE])
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

/** The last lines of an output. */
function endOf(output: string): string {
  return output.trim().split("\n").slice(-3).join(" ")
}

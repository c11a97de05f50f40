import { httpGet } from "../../clients/http-get.ts"
import { listeners } from "../../clients/sockets.ts"
import type { Machine } from "../../machines/machine.ts"
import { findAccess } from "./access.ts"
import {
  apiserverAddress,
  etcdAddress,
  kubeletAddress,
  registryAddress,
  schedulerAddress,
  type Address,
} from "./addresses.ts"
import { etcdctlEnvironment } from "./etcd-access.ts"
import { settingOf, type FoundProcess, type Started } from "./process.ts"

const ANSWER_WITHIN = 5_000

/** Where a component listens; undefined for what is reached through a unix socket. */
export async function addressOf(machine: Machine, process: FoundProcess): Promise<Address | undefined> {
  switch (process.name) {
    case "etcd":
      return etcdAddress(process)
    case "kube-apiserver":
      return apiserverAddress(process)
    case "kube-scheduler":
      return schedulerAddress(process)
    case "registry":
      return registryAddress(process)
    case "kubelet":
      return kubeletAddress(process, await configOf(machine, process))
    case "containerd":
      return undefined
  }
}

/** The text of a kubelet's --config file. */
export async function configOf(machine: Machine, kubelet: FoundProcess): Promise<string> {
  const path = settingOf(kubelet, "--config")
  return path === undefined
    ? ""
    : (
        await machine.read(path.startsWith("/") ? path : `${kubelet.cwd}/${path}`).catch(() => Buffer.alloc(0))
      ).toString()
}

/** containerd's socket, as its command line or its configuration says. */
export async function containerdSocket(machine: Machine, containerd: Started | undefined): Promise<string> {
  const fallback = "/run/containerd/containerd.sock"
  if (containerd === undefined) return fallback
  const named = settingOf(containerd, "--address") ?? settingOf(containerd, "--a")
  if (named !== undefined) return named
  return (
    /^\s*\[grpc\][^[]*?^\s*address\s*=\s*["']([^"']+)/ms.exec(await containerdConfig(machine, containerd))?.[1] ??
    fallback
  )
}

/** Where containerd looks for the network of the Pods, as its configuration says. */
export async function cniFolder(machine: Machine, containerd: Started | undefined): Promise<string> {
  const text = containerd === undefined ? "" : await containerdConfig(machine, containerd)
  return /^\s*conf_dir\s*=\s*["']([^"']+)/m.exec(text)?.[1] ?? "/etc/cni/net.d"
}

async function containerdConfig(machine: Machine, containerd: Started): Promise<string> {
  const path = settingOf(containerd, "--config") ?? settingOf(containerd, "--c") ?? "/etc/containerd/config.toml"
  return (
    await machine.read(path.startsWith("/") ? path : `${containerd.cwd ?? "/"}/${path}`).catch(() => Buffer.alloc(0))
  ).toString()
}

/** Whether a component answers as one that is ready, asked as a person would ask it. */
export async function isReady(
  machine: Machine,
  process: FoundProcess,
  others: readonly FoundProcess[],
): Promise<boolean> {
  const answers = async (port: number, host: string, path: string) =>
    (await httpGet(machine, { port, host, path, timeout: ANSWER_WITHIN })).status === 200
  const succeeds = async (argv: string[], env: Record<string, string> = {}) =>
    (await machine.run(argv, { env, timeout: ANSWER_WITHIN })).exitCode === 0
  const held = async ({ port }: Address) => (await listeners(machine, port)).length > 0
  try {
    switch (process.name) {
      case "etcd": {
        const { host, port, isTls } = etcdAddress(process)
        if (!isTls) return await answers(port, host, "/health")
        return (
          (await held({ host, port })) &&
          (await succeeds(
            ["etcdctl", "endpoint", "health"],
            etcdctlEnvironment(
              process,
              others.find(({ name }) => name === "kube-apiserver"),
            ),
          ))
        )
      }
      case "kube-apiserver": {
        if (!(await held(apiserverAddress(process)))) return false
        const { kubeconfig } = await findAccess(machine, others)
        return await succeeds(["kubectl", "--kubeconfig", kubeconfig, "get", "--raw", "/readyz"])
      }
      case "kube-scheduler":
        return await held(schedulerAddress(process))
      case "registry": {
        const { host, port } = registryAddress(process)
        return await answers(port, host, "/v2/")
      }
      case "kubelet": {
        const { host, healthz } = kubeletAddress(process, await configOf(machine, process))
        return await answers(healthz, host, "/healthz").catch(() => answers(healthz, "127.0.0.1", "/healthz"))
      }
      case "containerd":
        return await succeeds(["ctr", "--address", await containerdSocket(machine, process), "version"])
    }
  } catch {
    return false // Nobody listens yet, or nobody lets us in.
  }
}

import { quote } from "../base/shell.ts"
import type { ComponentName } from "../components/registry.ts"
import type { Machine } from "../machines/machine.ts"

/**
 * The Go package of which each component's program is made. Go writes it into every program that it builds
 * (https://pkg.go.dev/runtime/debug#BuildInfo); releases, distributions and own builds differ in all else.
 */
const PACKAGES: Readonly<Partial<Record<ComponentName, string>>> = {
  etcd: "go.etcd.io/etcd",
  "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
  "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
  "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
  "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
  kubelet: "k8s.io/kubernetes/cmd/kubelet",
  containerd: "github.com/containerd/containerd",
}

/** Searches a whole program (milliseconds). */
const SEARCH_WITHIN = 30_000

/**
 * Why a process of a host is not the component whose name it has. undefined if there is no doubt. The file is searched,
 * not started: a program can answer --version with anything.
 */
export async function doubtOf(machine: Machine, name: ComponentName, pid: number): Promise<string | undefined> {
  const path = PACKAGES[name]
  if (path === undefined) return undefined
  const search = `grep -qF ${quote([`path\t${path}`])} /proc/${pid}/exe`
  const { exitCode } = await machine.run(["sh", "-c", search], { timeout: SEARCH_WITHIN })
  // 2: the process has ended, or this user may not read the file.
  return exitCode === 1 ? `/proc/${pid}/exe was not built from ${path}` : undefined
}

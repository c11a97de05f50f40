import { UsageError } from "../base/errors.ts"

/** Tools by the release that they come in. */
const toolsOf = {
  etcd: ["etcd", "etcdctl", "etcdutl"],
  kubernetes: [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
    "kubeadm",
  ],
  containerd: ["containerd", "containerd-shim-runc-v2", "ctr"],
  runc: ["runc"],
  "cni-plugins": ["bridge", "host-local", "loopback", "portmap"],
  crane: ["crane"],
  catatonit: ["catatonit"],
} as const

/** A project whose tools are released together, in one version. */
export type GroupName = keyof typeof toolsOf
export type ToolName = (typeof toolsOf)[GroupName][number]
/** Which version of each group; without the v. */
export type Release = Readonly<Record<GroupName, string>>

const alike = { containerd: "2.3.7", runc: "1.5.2", "cni-plugins": "1.9.1", crane: "0.22.1", catatonit: "0.2.1" }

/** What goes with which minor version of Kubernetes. */
const releases: Readonly<Record<string, Omit<Release, "kubernetes">>> = {
  "1.36": { etcd: "3.6.16", ...alike },
  "1.37": { etcd: "3.7.3", ...alike },
}

/** The Kubernetes versions that every source serves; others of their minor versions only where official releases can be had. */
export const knownVersions = ["1.36.3", "1.37.2"] as const

/** The oldest that does what the lessons need, of tools whose version need not be close to Kubernetes's. */
const oldest: Partial<Release> = { runc: "1.1.0", "cni-plugins": "1.0.0", crane: "0.10.0", catatonit: "0.1.7" }

/**
 * Which version of everything goes with a version of Kubernetes.
 * @param kubernetes such as 1.37.2
 * @throws UsageError for a minor version that is not in the table
 */
export function releaseFor(kubernetes: string): Release {
  const others = releases[minor(kubernetes)]
  if (others === undefined) {
    throw new UsageError(
      `Kubernetes ${kubernetes} is not among the versions that are known here.`,
      `Choose one of ${knownVersions.join(", ")}.`,
    )
  }
  return { kubernetes, ...others }
}

/** The group that a tool comes in. */
export function groupOf(tool: ToolName): GroupName {
  // Object.keys forgets the type of the keys that it lists.
  return (Object.keys(toolsOf) as GroupName[]).find((group) => toolsIn(group).includes(tool)) ?? "kubernetes"
}

/** Every tool that is ever looked for. */
export const allTools: readonly ToolName[] = Object.values(toolsOf).flat()

/** All tools of a group. */
export function toolsIn(group: GroupName): readonly ToolName[] {
  return toolsOf[group]
}

/** Whether a tool of this version can stand in for the wanted one: the same minor version, or new enough where that is all it takes. */
export function fits(group: GroupName, wanted: string, version: string): boolean {
  const least = oldest[group]
  return least === undefined
    ? minor(version) === minor(wanted)
    : version.localeCompare(least, "en", { numeric: true }) >= 0
}

/** What `fits` asks for, in words. */
export function demand(group: GroupName, wanted: string): string {
  const least = oldest[group]
  return least === undefined ? `${minor(wanted)}.x` : `at least ${least}`
}

function minor(version: string): string {
  return version.split(".").slice(0, 2).join(".")
}

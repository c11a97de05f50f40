import { UsageError } from "../base/errors.ts"
import { minorOf, supportOf } from "./support.ts"

/** The tools of each release. */
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
  coredns: ["coredns"],
  nftables: ["nft"],
  catatonit: ["catatonit"],
  porcupine: ["porcupine"],
} as const

/** A project whose tools are released together, in one version. */
export type GroupName = keyof typeof toolsOf
export type ToolName = (typeof toolsOf)[GroupName][number]
/** The version of each group, without the v. */
export type Release = Readonly<Record<GroupName, string>>

const alike = {
  containerd: "2.3.7",
  runc: "1.5.2",
  "cni-plugins": "1.9.1",
  crane: "0.22.1",
  coredns: "1.15.0",
  nftables: "1.0.6",
  catatonit: "0.2.1",
  porcupine: "1.3.1",
}

/** The versions that go with each minor version of Kubernetes. */
const releases: Readonly<Record<string, Omit<Release, "kubernetes">>> = {
  "1.35": { etcd: "3.6.16", ...alike },
  "1.36": { etcd: "3.6.16", ...alike },
  "1.37": { etcd: "3.7.3", ...alike },
}

/** Kubernetes versions that every source has. Other patch versions come from the official releases only. */
export const knownVersions = ["1.35.4", "1.36.3", "1.37.2"] as const

/** The oldest version that the lessons can use, for tools whose version does not depend on that of Kubernetes. */
const oldest: Partial<Release> = {
  runc: "1.1.0",
  "cni-plugins": "1.0.0",
  crane: "0.10.0",
  coredns: "1.12.0",
  nftables: "1.0.1", // kube-proxy needs this version.
  catatonit: "0.1.7",
}

/**
 * The versions of all groups that go with a version of Kubernetes.
 * @param kubernetes such as 1.37.2
 * @throws UsageError for a minor version that is not in the table
 */
export function releaseFor(kubernetes: string): Release {
  const others = releases[minorOf(kubernetes)]
  if (others === undefined) {
    throw new UsageError(
      `This course does not know Kubernetes ${kubernetes}, which is ${supportOf(kubernetes).text}.`,
      `Choose one of ${knownVersions.join(", ")}.`,
    )
  }
  return { kubernetes, ...others }
}

/** Whether a folder of the cache, such as etcd-v3.7.3-amd64, has a version that goes with a supported Kubernetes. */
export function isSupported(folder: string): boolean {
  const [, group, version = ""] = /^(.+)-v([^-]+)-[^-]+$/.exec(folder) ?? []
  if (group === "kubernetes") return releases[minorOf(version)] !== undefined
  return Object.values(releases).some((release) =>
    Object.entries(release).some(([name, wanted]) => name === group && wanted === version),
  )
}

/** The group of a tool. */
export function groupOf(tool: ToolName): GroupName {
  // Object.keys returns strings, without the type of the keys.
  return (Object.keys(toolsOf) as GroupName[]).find((group) => toolsIn(group).includes(tool)) ?? "kubernetes"
}

/** All tools that a run may need. */
export const allTools: readonly ToolName[] = Object.values(toolsOf).flat()

/** All tools of a group. */
export function toolsIn(group: GroupName): readonly ToolName[] {
  return toolsOf[group]
}

/**
 * Whether a tool of this version can replace the wanted one: it has the same minor version or, where that is enough, a
 * version that is new enough.
 */
export function fits(group: GroupName, wanted: string, version: string): boolean {
  const least = oldest[group]
  return least === undefined
    ? minorOf(version) === minorOf(wanted)
    : version.localeCompare(least, "en", { numeric: true }) >= 0
}

/** The condition of `fits` in words. */
export function demand(group: GroupName, wanted: string): string {
  const least = oldest[group]
  return least === undefined ? `${minorOf(wanted)}.x` : `at least ${least}`
}

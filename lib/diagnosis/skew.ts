import { specs } from "../components/registry.ts"
import type { Observation } from "./observation.ts"
import { componentOf, type Named } from "./symptom.ts"

/** kubectl is no component, but its version counts too. https://kubernetes.io/releases/version-skew-policy/ */
const KUBECTL = { name: "kubectl", skew: { behind: 1, ahead: 1, supported: "one minor version either way" } } as const

/** A program whose version is too far from kube-apiserver's. */
export function apart(seen: Observation): Named<"program" | "version" | "apiserver" | "supported"> | undefined {
  const ours = seen.api?.version ?? versionIn(componentOf(seen, "kube-apiserver")?.log ?? [])
  if (ours === undefined) return undefined
  for (const { name, skew } of [...specs, KUBECTL]) {
    if (skew === undefined) continue
    const { behind, ahead, supported } = skew
    const theirs = versionIn(
      name === "kubectl" ? [seen.looks["kubectl version --client"] ?? ""] : (componentOf(seen, name)?.log ?? []),
    )
    const distance = theirs === undefined ? 0 : minor(theirs) - minor(ours)
    if (theirs !== undefined && (distance > ahead || distance < -behind))
      return {
        evidence: `${name} ${theirs}, kube-apiserver ${ours}`,
        program: name,
        version: theirs,
        apiserver: ours,
        supported,
      }
  }
  return undefined
}

/** The first version of Kubernetes that a program tells of itself. */
function versionIn(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const found =
      /(?:\] Version: |Client Version: |"Kubelet version" kubeletVersion="|GitVersion:")"?(v1\.\d+\.\d+)/.exec(
        line,
      )?.[1]
    if (found !== undefined) return found
  }
  return undefined
}

function minor(version: string): number {
  return Number(version.split(".")[1])
}

import type { Observation } from "./observation.ts"
import { componentOf, type Shown } from "./symptom.ts"

/** How far a program's minor version may be from kube-apiserver's. https://kubernetes.io/releases/version-skew-policy/ */
const allowed = [
  { program: "kubelet", behind: 3, ahead: 0, words: "a kubelet up to three minor versions older, none newer" },
  { program: "kube-scheduler", behind: 1, ahead: 0, words: "a scheduler one minor version older, none newer" },
  { program: "kubectl", behind: 1, ahead: 1, words: "one minor version either way" },
] as const

/** A program whose version is too far from kube-apiserver's: $1 program, $2 its version, $3 kube-apiserver's, $4 what is supported. */
export function apart(seen: Observation): Shown | undefined {
  const ours = seen.api?.version ?? versionIn(componentOf(seen, "kube-apiserver")?.log ?? [])
  if (ours === undefined) return undefined
  for (const { program, behind, ahead, words } of allowed) {
    const theirs = versionIn(
      program === "kubectl"
        ? [seen.looks.get("kubectl version --client") ?? ""]
        : (componentOf(seen, program)?.log ?? []),
    )
    const distance = theirs === undefined ? 0 : minor(theirs) - minor(ours)
    if (theirs !== undefined && (distance > ahead || distance < -behind))
      return { evidence: `${program} ${theirs}, kube-apiserver ${ours}`, names: [program, theirs, ours, words] }
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

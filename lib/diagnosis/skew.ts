import { specOf, specs, type ComponentName } from "../components/registry.ts"
import type { Skew } from "../components/spec.ts"
import type { Observation, ObservedComponent } from "./observation.ts"
import { componentOf, type Named } from "./symptom.ts"

/** kubectl is no component, but its version counts too. https://kubernetes.io/releases/version-skew-policy/ */
const KUBECTL: Skew = { behind: 1, ahead: 1, supported: "a kubectl one minor version older or newer" }

/** What kubectl says of its version. */
export const KUBECTL_VERSION = "kubectl version --client"

/** The evidence, and what is too far apart. */
type Apart = Named<"program" | "version" | "apiserver" | "supported">

/** Commands that ask the programs of running components for their versions, wherever their files are. */
export function versionQueries(components: readonly ObservedComponent[]): string[] {
  return components
    .filter(({ name, pid }) => pid !== 0 && (name === "kube-apiserver" || specOf(name).skew !== undefined))
    .map(versionQuery)
}

function versionQuery({ pid }: ObservedComponent): string {
  return `/proc/${pid}/exe --version`
}

/** kubectl, if its version is too far from kube-apiserver's. */
export function kubectlApart(seen: Observation): Apart | undefined {
  return apart(seen, "kubectl", versionIn([seen.looks[KUBECTL_VERSION] ?? ""]), KUBECTL)
}

/** A component whose version is too far from kube-apiserver's. */
export function componentApart(seen: Observation): Apart | undefined {
  return specs
    .map(({ name, skew }) => (skew === undefined ? undefined : apart(seen, name, versionOf(seen, name), skew)))
    .find((found) => found !== undefined)
}

function apart(
  seen: Observation,
  program: string,
  version: string | undefined,
  { behind, ahead, supported }: Skew,
): Apart | undefined {
  const apiserver = seen.api?.version ?? versionOf(seen, "kube-apiserver")
  if (apiserver === undefined || version === undefined) return undefined
  const distance = minor(version) - minor(apiserver)
  if (distance <= ahead && distance >= -behind) return undefined
  return { evidence: `${program} ${version}, kube-apiserver ${apiserver}`, program, version, apiserver, supported }
}

/** What its program answers; of a component that does not run, what its log says. */
function versionOf(seen: Observation, name: ComponentName): string | undefined {
  const component = componentOf(seen, name)
  if (component === undefined) return undefined
  return versionIn([seen.looks[versionQuery(component)] ?? "", ...component.log])
}

/** What a program writes before its version. */
const BEFORE = [
  "^Kubernetes ",
  String.raw`\] Version: `,
  "Client Version: ",
  '"Kubelet version" kubeletVersion="',
  'GitVersion:"',
]
const VERSION = new RegExp(String.raw`(?:${BEFORE.join("|")})"?(v1\.\d+\.\d+)`)

/** The first version of Kubernetes that a program tells of itself. */
function versionIn(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const found = VERSION.exec(line)?.[1]
    if (found !== undefined) return found
  }
  return undefined
}

function minor(version: string): number {
  return Number(version.split(".")[1])
}

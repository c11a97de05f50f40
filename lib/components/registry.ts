import { apiserver } from "./apiserver.ts"
import { containerd } from "./containerd.ts"
import { etcd } from "./etcd.ts"
import { imageRegistry } from "./image-registry.ts"
import { kubelet } from "./kubelet.ts"
import { startOrder, withDependencies } from "./order.ts"
import { scheduler } from "./scheduler.ts"
import type { ComponentSpec, MachineFeature } from "./spec.ts"

/** All components. Add a component here; everything else is derived from its spec. */
const list = [etcd, apiserver, scheduler, imageRegistry, containerd, kubelet] as const

export type ComponentName = (typeof list)[number]["name"]

/** The spec of a component whose name is in the list. */
export type Spec = ComponentSpec<ComponentName>

/** All components in start order. */
export const specs: readonly Spec[] = startOrder<Spec>(list)

/** The names of all components in start order. */
export const componentNames: readonly ComponentName[] = specs.map(({ name }) => name)

/** The spec of a component. */
export function specOf(name: ComponentName): Spec {
  const found = specs.find((spec) => spec.name === name)
  if (found === undefined) throw new TypeError(`${name} is not in the list of components`)
  return found
}

/** Some components and everything that they come after, in start order. */
export function dependenciesOf(names: readonly ComponentName[]): readonly Spec[] {
  return withDependencies<Spec>(specs, names)
}

/** Everything that a machine must provide so that these components, and what they come after, can run on it. */
export function featuresOf(names: readonly ComponentName[]): MachineFeature[] {
  return [...new Set(dependenciesOf(names).flatMap(({ requires }) => requires))]
}

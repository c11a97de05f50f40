import { apiserver } from "./apiserver.ts"
import { containerd } from "./containerd.ts"
import { controllerManager } from "./controller-manager.ts"
import { etcd } from "./etcd.ts"
import { imageRegistry } from "./image-registry.ts"
import { kubelet } from "./kubelet.ts"
import { kubeProxy } from "./kube-proxy.ts"
import { startOrder, withDependencies } from "./order.ts"
import { scheduler } from "./scheduler.ts"
import { argvOf, type Component } from "./component.ts"
import type { Probe } from "./probe.ts"
import { knownFiles, seenBy, type Files } from "./settings/files.ts"
import type { Started } from "./settings/flags.ts"
import type { ComponentSpec, MachineFeature, Settings } from "./spec.ts"

/** All components. Add a component here; everything else is derived from its spec. */
const list = [etcd, apiserver, scheduler, imageRegistry, containerd, kubelet, controllerManager, kubeProxy] as const

export type ComponentName = (typeof list)[number]["name"]

/** The spec of a component whose name is in the list. */
export type Spec = ComponentSpec<ComponentName>

/** All components in start order. */
export const specs: readonly Spec[] = startOrder<Spec>(list)

/** The components that a learner starts, in start order. The course provides the others. */
export const learnersSpecs: readonly Spec[] = specs.filter(({ isProvided }) => isProvided !== true)

/** The names of all components in start order. */
export const componentNames: readonly ComponentName[] = specs.map(({ name }) => name)

/** The type of each component's settings, by its name. */
type AllSettings = { [One in (typeof list)[number] as One["name"]]: ReturnType<One["settings"]> }

/** The type of one component's settings. */
export type SettingsOf<Name extends ComponentName> = AllSettings[Name]

/**
 * Reads the settings of a component from the same sources as the component: flags, environment and configuration files.
 */
export function settingsOf<Name extends ComponentName>(name: Name, started: Started, files: Files): SettingsOf<Name> {
  // The spec with this name reads settings of this type.
  return specOf(name).settings(started, seenBy(files, started.root)) as SettingsOf<Name>
}

/** The files of a described component, for the reader of its settings. */
export function describedFiles({ files }: Component): Files {
  return knownFiles(Object.fromEntries(files.map(({ path, content }) => [path, content])))
}

/** The settings that a described component will have. */
export function settingsOfComponent(component: Component): Settings {
  return specOf(component.name).settings({ argv: argvOf(component) }, describedFiles(component))
}

/** The probe that a described component will answer. */
export function probeOfComponent(component: Component): Probe {
  return specOf(component.name).probe(settingsOfComponent(component), {})
}

/** The spec of a component. */
export function specOf(name: ComponentName): Spec {
  const found = specs.find((spec) => spec.name === name)
  if (found === undefined) throw new TypeError(`${name} is not in the list of components`)
  return found
}

/** The given components and all components that they depend on, in start order. */
export function dependenciesOf(names: readonly ComponentName[]): readonly Spec[] {
  return withDependencies<Spec>(specs, names)
}

/** The features that a machine must provide so that these components, and all that they depend on, can run on it. */
export function featuresOf(names: readonly ComponentName[]): MachineFeature[] {
  return [...new Set(dependenciesOf(names).flatMap(({ requires }) => requires))]
}

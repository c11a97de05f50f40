import { dependenciesOf, type ComponentName } from "../components/registry.ts"

/** What each lesson needs that none before it needed. */
const NEEDS: readonly (readonly [lesson: number, components: readonly ComponentName[]])[] = [
  [1, ["etcd"]],
  [2, ["kube-apiserver"]],
  [4, ["kube-scheduler"]],
  [5, ["kubelet"]],
]

/** The components that must run for a lesson: its own and those of all before it. */
export function neededBy(lesson: number): ComponentName[] {
  const named = NEEDS.flatMap(([number, components]) => (number <= lesson ? components : []))
  return dependenciesOf(named).map(({ name }) => name)
}

/** The first lesson that needs a component: the one that brings it up. */
export function lessonOf(component: ComponentName): number {
  return (
    NEEDS.map(([number]) => number).find((number) => neededBy(number).includes(component)) ?? Number.MAX_SAFE_INTEGER
  )
}

import { expect, test } from "vitest"
import { startOrder, withDependencies } from "./order.ts"
import { dependenciesOf, featuresOf, specs } from "./registry.ts"

const list = (after: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(after).map(([name, names]) => ({ name, after: names }))
const names = (ordered: readonly { readonly name: string }[]) => ordered.map(({ name }) => name)

test("a component starts after all components that it depends on; otherwise the order of the list is kept", () => {
  expect(names(startOrder(list({ c: ["b"], x: [], b: ["a"], a: [] })))).toEqual(["a", "b", "c", "x"])
  expect(names(startOrder(list({ x: [], a: [], b: ["a", "x"] })))).toEqual(["x", "a", "b"])
})

test("a cycle is rejected, and the error names it", () => {
  expect(() => startOrder(list({ z: ["a"], a: ["b"], b: ["c"], c: ["a"] }))).toThrow(
    "These components wait for each other: a after b after c after a.",
  )
  expect(() => startOrder(list({ a: ["a"] }))).toThrow("a after a")
})

test("a dependency that is not in the list is rejected", () => {
  expect(() => startOrder(list({ a: ["b"] }))).toThrow("a names the component b, which is not in the list")
  expect(() => withDependencies(list({ a: [] }), ["b"])).toThrow("The caller names the component b")
})

test("withDependencies adds all components that the given ones depend on", () => {
  const all = list({ a: [], b: ["a"], c: ["b"], d: [] })
  expect(names(withDependencies(all, ["c"]))).toEqual(["a", "b", "c"])
  expect(names(withDependencies(all, []))).toEqual([])
})

test("each component of our own cluster starts after the components that its spec names", () => {
  for (const { name, after } of specs)
    for (const earlier of after)
      expect(names(specs).indexOf(earlier), `${earlier} before ${name}`).toBeLessThan(names(specs).indexOf(name))
  expect(names(dependenciesOf(["kube-scheduler"]))).toEqual(["etcd", "kube-apiserver", "kube-scheduler"])
  expect(featuresOf(["kube-scheduler"])).toEqual([])
  expect(featuresOf(["kubelet"])).toEqual(["images", "containers"])
})

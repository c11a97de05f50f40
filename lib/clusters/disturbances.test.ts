import { expect, test } from "vitest"
import { Disturbances } from "./disturbances.ts"

test("the end of a component excuses the end of those that depend on it, and of no other", () => {
  const disturbances = new Disturbances()
  for (const name of ["etcd", "kube-apiserver", "kube-scheduler"] as const) disturbances.isReady(name)
  expect(disturbances.excuses("kube-scheduler")).toBe(false)
  disturbances.ends("kube-apiserver")
  expect(disturbances.excuses("kube-scheduler")).toBe(true)
  expect(disturbances.excuses("kube-apiserver")).toBe(false)
  expect(disturbances.excuses("etcd")).toBe(false)
  disturbances.isReady("kube-apiserver") // What it has caused can still follow.
  expect(disturbances.excuses("kube-scheduler")).toBe(true)
  disturbances.ends("kube-scheduler")
  disturbances.isReady("kube-scheduler") // This one was not there.
  expect(disturbances.excuses("kube-scheduler")).toBe(false)
})

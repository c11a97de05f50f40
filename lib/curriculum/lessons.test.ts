import { expect, test } from "vitest"
import type { ComponentFailure } from "../failures/failure.ts"
import { etcdCluster, lessonOfFailure } from "./lessons.ts"

test.each([
  ["02-apiserver.sh", "kube-apiserver", 2],
  ["01-everything.sh", "kube-apiserver", 2],
  ["10-network.sh", "kube-apiserver", 10],
  ["10-network.sh", "kube-scheduler", 10],
  ["mine.sh", "kube-scheduler", 8], // No script tells, so it is the last lesson that changes the component.
] as const)("the failure of %s, in which %s is concerned, belongs to lesson %i", (script, name, expected) => {
  const failure: ComponentFailure = {
    kind: "script-ended",
    name,
    script,
    exit: { code: 1, signal: null },
    wasRunning: true,
    log: [],
    logPath: "/log",
  }
  expect(lessonOfFailure(failure, etcdCluster)?.number).toBe(expected)
})

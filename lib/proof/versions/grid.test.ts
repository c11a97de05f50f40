import { expect, test } from "vitest"
import { lessonResultOf, runResultOf, type OutcomeResult } from "../../report/result.ts"
import { outcomeWith } from "../testing/results.ts"
import { grid } from "./grid.ts"

const resultOf = (kubernetes: string, etcd: OutcomeResult[], apiserver: OutcomeResult[]) =>
  runResultOf(
    { kubernetes, subject: null, milliseconds: 61_400 },
    [
      lessonResultOf({ id: "01", title: "etcd" }, etcd),
      lessonResultOf({ id: "02", title: "kube-apiserver" }, apiserver),
      lessonResultOf({ id: "03", title: "state" }, [outcomeWith({ verdict: "not chosen" })]),
    ],
    [],
  )

test("a cell counts the outcomes of a lesson with a version, and each that did not pass has a line", () => {
  const tried = [
    {
      version: "1.35.4",
      result: resultOf(
        "1.35.4",
        [outcomeWith({})],
        [outcomeWith({}), outcomeWith({ title: "it starts", verdict: "failed", reason: "it exited" })],
      ),
    },
    { version: "1.37.2", result: resultOf("1.37.2", [outcomeWith({}), outcomeWith({})], [outcomeWith({})]) },
  ]
  expect(grid(tried, new Date("2026-11-28")).split("\n")).toEqual([
    "lesson             1.35.4              1.37.2",
    "01 etcd            1 passed            2 passed",
    "02 kube-apiserver  1 failed, 1 passed  1 passed",
    "duration           61 s                61 s",
    "",
    "Kubernetes 1.35.4 is supported until 2027-02-28, with ordinary fixes until 2026-12-28.",
    "Kubernetes 1.37.2 is supported until 2027-10-28, with ordinary fixes until 2027-08-28.",
    "1.35.4: 02 it starts: failed, it exited",
    "",
  ])
})

test("a run without a result has empty cells, and a line that says so", () => {
  const tried = [
    { version: "1.36.3", result: undefined },
    { version: "1.37.2", result: resultOf("1.37.2", [outcomeWith({})], [outcomeWith({})]) },
  ]
  expect(grid(tried).split("\n").slice(0, 4)).toEqual([
    "lesson             1.36.3  1.37.2",
    "01 etcd                    1 passed",
    "02 kube-apiserver          1 passed",
    "duration                   61 s",
  ])
  expect(grid(tried)).toContain("\n1.36.3: the run ended without a result.\n")
})

import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { backgroundProgress } from "./progress-background.ts"
import { deferred } from "./deferred.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test("one line each 15 seconds for the latest of several tasks, and none after the last has ended", async () => {
  const lines: string[] = []
  const progress = backgroundProgress("Meanwhile", (line) => lines.push(line))
  const [first, second] = [deferred<void>(), deferred<void>()]
  const tasks = [
    progress.task("Fetching one", (report) => {
      report(5e6, 1e7, "bytes")
      return first.promise
    }),
    progress.task("Building two", (report) => {
      report(3, 0, "packages")
      return second.promise
    }),
  ]
  await vi.advanceTimersByTimeAsync(15_000)
  second.resolve()
  await vi.advanceTimersByTimeAsync(15_000)
  first.resolve()
  await Promise.all(tasks)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(lines).toEqual(["Meanwhile: Building two: 3 packages, 15 s", "Meanwhile: Fetching one: 5.0 of 10.0 MB, 30 s"])
})

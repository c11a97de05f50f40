import { PassThrough } from "node:stream"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { deferred } from "./deferred.ts"
import { terminalProgress } from "./progress-terminal.ts"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const outputOf = (stream: PassThrough) => String(stream.read() ?? "")

test("a quick task prints no line", async () => {
  const stream = new PassThrough()
  expect(await terminalProgress(stream, false).task("Building etcd", () => Promise.resolve(5))).toBe(5)
  await vi.advanceTimersByTimeAsync(5_000)
  expect(outputOf(stream)).toBe("")
})

test("without a terminal, prints a line after two seconds and a line at the end, also after a failure", async () => {
  const stream = new PassThrough()
  const work = deferred<void>()
  const task = terminalProgress(stream, false).task("Building etcd", () => work.promise)
  task.catch(() => undefined)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(outputOf(stream)).toBe("Building etcd …\n")
  await vi.advanceTimersByTimeAsync(3_000)
  work.reject(new Error("no compiler"))
  await expect(task).rejects.toThrow("no compiler")
  expect(outputOf(stream)).toBe("Building etcd: failed after 5 s\n")
})

test("on a terminal, live lines show the progress of each task, and a note is printed above them", async () => {
  const stream = Object.assign(new PassThrough(), { columns: 60 })
  const progress = terminalProgress(stream, true)
  const [build, download] = [deferred<void>(), deferred<void>()]
  const tasks = [
    progress.task("Building etcd", (report) => {
      report(20, 1029, "packages")
      return build.promise
    }),
    progress.task("Downloading kubelet", (report) => {
      report(1_500_000, 90_000_000, "bytes")
      return download.promise
    }),
  ]
  await vi.advanceTimersByTimeAsync(3_000)
  expect(outputOf(stream)).toMatch(
    /Building etcd: 20 of 1029 packages, 3 s\nDownloading kubelet: 1.5 of 90.0 MB, 3 s\n$/,
  )
  progress.note("etcd is corrupted.")
  // eslint-disable-next-line no-control-regex -- the cursor goes up two lines
  expect(outputOf(stream)).toMatch(/^\x1b\[2A\x1b\[1G\x1b\[0Jetcd is corrupted\.\nBuilding.*\nDownloading.*\n$/)
  build.resolve()
  download.resolve()
  await Promise.all(tasks)
  expect(outputOf(stream)).toMatch(/Building etcd: done in 3 s\n[^]*Downloading kubelet: done in 3 s\n$/)
})

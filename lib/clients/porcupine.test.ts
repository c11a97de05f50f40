import { execa } from "execa"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { silentProgress } from "../base/progress-silent.ts"
import { readSettings } from "../base/settings.ts"
import { resolveBinaries } from "../binaries/resolve.ts"
import type { Operation } from "./history.ts"
import { judge, porcupineLacks, type Runner } from "./porcupine.ts"

let folder: string
let machine: Runner

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "byhand-porcupine-"))
  const { path = "" } = (await resolveBinaries(["porcupine"], readSettings(), silentProgress)).get("porcupine") ?? {}
  machine = {
    run: async ([program = "", ...words], { input = "" } = {}) => {
      const env = { PATH: `${dirname(path)}:${process.env["PATH"]}` }
      const { stdout, stderr, exitCode = 1 } = await execa(program, words, { reject: false, input, env })
      return { command: program, stdout, stderr, exitCode }
    },
  }
}, 600_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const operation = (
  op: Operation["op"],
  value: string | undefined,
  [start, end]: [number, number],
  outcome: Operation["outcome"] = "ok",
): Operation => ({ client: 0, member: "one", op, key: "/a", value, revision: undefined, start, end, outcome })

const judged = (...history: Operation[]) => judge(machine, history, join(folder, "history.html"))

test("a history that an order explains is linearizable, and its visualization is written", async () => {
  const answer = await judged(
    operation("get", undefined, [0, 1]),
    operation("put", "1", [2, 5]),
    operation("get", "1", [3, 4]),
    operation("put", "2", [6, 9]),
    operation("get", "1", [7, 8]),
    operation("get", "2", [10, 11]),
  )
  expect(answer).toEqual({ verdict: "linearizable", operations: 6, keys: 1, violations: [] })
  expect(await readFile(join(folder, "history.html"), "utf8")).toContain("put /a 2")
})

test("a stale read is not linearizable", async () => {
  const answer = await judged(
    operation("put", "1", [0, 1]),
    operation("put", "2", [2, 3]),
    operation("get", "1", [4, 5]),
  )
  expect(answer).toMatchObject({ verdict: "not linearizable", violations: ["/a"] })
})

test("a read of a lost write is not linearizable", async () => {
  expect(await judged(operation("put", "1", [0, 1]), operation("get", undefined, [2, 3]))).toMatchObject({
    verdict: "not linearizable",
  })
})

test("a read of a value that was refused is not linearizable", async () => {
  expect(await judged(operation("put", "1", [0, 1], "failed"), operation("get", "1", [2, 3]))).toMatchObject({
    verdict: "not linearizable",
  })
})

test("a write of unknown outcome may take effect late, or never", async () => {
  const unknown = operation("put", "1", [0, 1], "unknown")
  expect(await judged(unknown, operation("get", undefined, [2, 3]), operation("get", "1", [4, 5]))).toMatchObject({
    verdict: "linearizable",
  })
  expect(await judged(unknown, operation("get", undefined, [2, 3]))).toMatchObject({ verdict: "linearizable" })
  expect(await judged(unknown, operation("get", "1", [2, 3]), operation("get", undefined, [4, 5]))).toMatchObject({
    verdict: "not linearizable",
  })
  expect(await judged(operation("get", "1", [0, 1]), operation("put", "1", [2, 3], "unknown"))).toMatchObject({
    verdict: "not linearizable",
  })
})

test("many writes of unknown outcome do not make it slow", async () => {
  const unknown = Array.from({ length: 500 }, (_, at) => operation("put", `lost-${at}`, [at, at + 1], "unknown"))
  const others = Array.from({ length: 500 }, (_, at) => [
    operation("put", `kept-${at}`, [10 * at, 10 * at + 2]),
    operation("get", `kept-${at}`, [10 * at + 3, 10 * at + 4]),
  ]).flat()
  expect(await judged(...unknown, ...others)).toMatchObject({ verdict: "linearizable", operations: 1000 })
})

test("a history that cannot be read is an error", async () => {
  const broken = { ...operation("put", "1", [0, 1]), start: "yesterday" as unknown as number }
  await expect(judged(broken)).rejects.toThrow("line 1")
})

test("a machine without porcupine cannot judge", async () => {
  expect(await porcupineLacks(machine)).toBeUndefined()
  const run: Runner["run"] = () => Promise.resolve({ command: "sh", stdout: "", stderr: "", exitCode: 127 })
  expect(await porcupineLacks({ run })).toContain("Go")
})

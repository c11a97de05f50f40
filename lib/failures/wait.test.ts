import { afterEach, beforeEach, expect, test, vi } from "vitest"
import type { Failure } from "./failure.ts"
import type { Finding } from "./finding.ts"
import { onWait, Wait, type Foreseen, type WaitEvent } from "./wait.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const failure: Failure = {
  kind: "not-ready",
  name: "etcd",
  waited: 0,
  answer: "connect ECONNREFUSED",
  log: [],
  logPath: "/l",
}
const finding = (cause: string, evidence = ""): Finding => ({
  id: "frozen",
  component: "etcd",
  cause,
  remedy: "",
  evidence,
  look: "",
})
/** A wait whose looks see one thing after another; the last is seen from then on. */
function waitFor(looks: readonly (readonly Foreseen[])[]) {
  let count = 0
  const wait = new Wait(
    "etcd becomes ready",
    () => failure,
    () => Promise.resolve(looks[Math.min(count++, looks.length - 1)] ?? []),
  )
  const ended: { with?: Finding } = {}
  void wait.certainty.then((certain) => {
    ended.with = certain
  })
  return { wait, ended, looks: () => count }
}

test("a cause is certain when two looks agree, whatever their evidence", async () => {
  const { wait, ended, looks } = waitFor([
    [{ finding: finding("it is stopped", "at 10:00"), lasting: 1_000 }],
    [{ finding: finding("it is stopped", "at 10:01"), lasting: 1_000 }],
  ])
  await vi.advanceTimersByTimeAsync(1_500)
  expect([looks(), ended.with]).toEqual([1, undefined])
  await vi.advanceTimersByTimeAsync(1_000)
  expect([looks(), ended.with?.evidence]).toEqual([2, "at 10:01"])
  wait[Symbol.dispose]()
})

test("looks that do not agree end nothing", async () => {
  const one = [{ finding: finding("one"), lasting: 1_000 }]
  const other = [{ finding: finding("other"), lasting: 1_000 }]
  const { wait, ended } = waitFor([one, other, [], one, other, one, []])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(ended.with).toBeUndefined()
  wait[Symbol.dispose]()
})

test("on a machine that needs more patience, the first look is later", async () => {
  vi.stubEnv("BYHAND_PATIENCE", "600")
  const { wait, looks } = waitFor([[]])
  await vi.advanceTimersByTimeAsync(9_900)
  expect(looks()).toBe(0)
  await vi.advanceTimersByTimeAsync(200)
  expect(looks()).toBe(1)
  wait[Symbol.dispose]()
  vi.unstubAllEnvs()
})

test.each([
  { took: 1_500, pause: 6_000 },
  { took: 5_000, pause: 8_000 },
])("after a look that took $took ms, the next one comes $pause ms later", async ({ took, pause }) => {
  let count = 0
  const slow = async () => {
    count++
    await new Promise((resolve) => setTimeout(resolve, took))
    return []
  }
  using _wait = new Wait("etcd becomes ready", () => failure, slow)
  await vi.advanceTimersByTimeAsync(1_000 + took + pause - 100)
  expect(count).toBe(1)
  await vi.advanceTimersByTimeAsync(200)
  expect(count).toBe(2)
})

test("a cause that a supervisor may remove must be seen for longer, without a gap", async () => {
  const gone = [{ finding: finding("it does not run"), lasting: 6_000 }]
  const { wait, ended, looks } = waitFor([gone, gone, gone, [], gone])
  await vi.advanceTimersByTimeAsync(11_000)
  expect(ended.with).toBeUndefined()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ended.with?.cause).toBe("it does not run")
  expect(looks()).toBeGreaterThan(8)
  wait[Symbol.dispose]()
})

test("a cause that is known already needs one look", async () => {
  const { wait, ended } = waitFor([[{ finding: finding("known"), lasting: 0 }]])
  await vi.advanceTimersByTimeAsync(1_100)
  expect(ended.with?.cause).toBe("known")
  wait[Symbol.dispose]()
})

test("no look is taken before the first second and after the end, and fewer are taken while nothing is found", async () => {
  const { wait, looks } = waitFor([[]])
  await vi.advanceTimersByTimeAsync(900)
  expect(looks()).toBe(0)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(looks()).toBeLessThan(9)
  const before = looks()
  wait[Symbol.dispose]()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(looks()).toBe(before)
})

test("a wait is reported from its second second on, with the last answer", async () => {
  const seen: WaitEvent[] = []
  onWait((event) => seen.push(event))
  const { wait } = waitFor([[]])
  await vi.advanceTimersByTimeAsync(1_900)
  expect(seen).toEqual([])
  await vi.advanceTimersByTimeAsync(1_200)
  wait[Symbol.dispose]()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(seen.map(({ awaited, answer }) => [awaited, answer])).toEqual([
    ["etcd becomes ready", "connect ECONNREFUSED"],
    ["etcd becomes ready", "connect ECONNREFUSED"],
  ])
})

import { afterEach, beforeEach, expect, test, vi } from "vitest"
import type { Finding } from "../failures/finding.ts"
import { WaitError } from "../failures/until.ts"
import type { Foreseen } from "../failures/wait.ts"
import { NotChecked } from "./not-checked.ts"
import { accompanied, eventually, until, waitingAs, type Waiting } from "./until.ts"

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] })
})
afterEach(() => {
  vi.useRealTimers()
})

const finding: Finding = { id: "frozen", component: "etcd", cause: "it is stopped", remedy: "", evidence: "", look: "" }
const outcome = (found: readonly Foreseen[], given: Partial<Waiting> = {}): Waiting => ({
  outcome: "06 a Pod",
  isShort: false,
  foresee: () => Promise.resolve(found),
  foreseeCommand: () => Promise.resolve(found),
  isKnown: () => false,
  ...given,
})
/** The error of some work, and after how many seconds it came. The work must fail within an hour. */
async function failureOf(work: () => Promise<unknown>): Promise<{ error: unknown; seconds: number }> {
  const began = performance.now()
  let end: { error: unknown; seconds: number } | undefined
  void work().then(
    () => {
      end = { error: undefined, seconds: 0 }
    },
    (error: unknown) => {
      end = { error, seconds: (performance.now() - began) / 1000 }
    },
  )
  for (let round = 0; round < 36_000 && end === undefined; round++) await vi.advanceTimersByTimeAsync(100)
  return end ?? { error: "It did not end.", seconds: 0 }
}
/** Something that never happens. */
const pending = () => eventually(() => "Pending", 90_000).toBe("Running")

test("what happens is awaited, and the matchers are those of expect", async () => {
  let count = 0
  const ends = await failureOf(() =>
    waitingAs(outcome([]), async () => {
      await eventually(() => ++count).toBeGreaterThan(30)
      await eventually(() => [count]).not.toEqual([])
    }),
  )
  expect(ends.error).toBeUndefined()
  expect(count).toBe(31)
})

test("an outcome that cannot happen ends with the cause and with the error of its last attempt", async () => {
  const { error, seconds } = await failureOf(() => waitingAs(outcome([{ finding, lasting: 1_000 }]), pending))
  expect(error).toBeInstanceOf(WaitError)
  expect(error).toMatchObject({
    finding,
    cause: { name: "AssertionError", actual: "Pending", expected: "Running" },
  })
  expect([seconds > 1, seconds < 10]).toEqual([true, true])
})

test("a cause that a card names already ends it at the first look", async () => {
  const known = outcome([{ finding, lasting: 60_000 }], { isKnown: () => true })
  const { error, seconds } = await failureOf(() => waitingAs(known, pending))
  expect(error).toMatchObject({ finding })
  expect(seconds).toBeLessThan(2)
})

test("without a certain cause the patience runs out, and later waits are short", async () => {
  const first = await failureOf(() => waitingAs(outcome([]), pending))
  expect(first.error).toMatchObject({ hasTimedOut: true, cause: { actual: "Pending" } })
  expect(first.seconds).toBeGreaterThan(89)
  const later = await failureOf(() => waitingAs(outcome([], { isShort: true }), pending))
  expect([later.seconds > 4, later.seconds < 10]).toEqual([true, true])
})

test("an attempt or a command that hangs does not hide a certain cause", async () => {
  const never = () => new Promise<string>(() => undefined)
  const around = outcome([{ finding, lasting: 1_000 }])
  const attempt = await failureOf(() => waitingAs(around, () => until(never)))
  expect(attempt.error).toMatchObject({ finding })
  const command = await failureOf(() => waitingAs(around, () => accompanied(never)("get pods")))
  expect(command.error).toMatchObject({ finding, cause: { command: "get pods" } })
})

test("what must not be checked is not tried again, and outside of an outcome the plain error is thrown", async () => {
  const skipped = await failureOf(() =>
    waitingAs(outcome([]), () => until(() => Promise.reject(new NotChecked("cannot check here")))),
  )
  expect(skipped.error).toBeInstanceOf(NotChecked)
  expect((await failureOf(pending)).error).toMatchObject({ name: "AssertionError", actual: "Pending" })
})

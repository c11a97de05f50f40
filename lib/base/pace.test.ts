import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { Pace } from "./pace.ts"

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "performance"] }))
afterEach(() => void vi.useRealTimers())

test.each([
  { attempt: 1, pause: 40 },
  { attempt: 150, pause: 150 },
  { attempt: 30_000, pause: 500 },
])("after an attempt of $attempt ms, a pause takes $pause ms", async ({ attempt, pause }) => {
  const pace = new Pace(40)
  for (const round of ["the first", "the second"]) {
    await vi.advanceTimersByTimeAsync(attempt)
    let isOver = false
    void pace.pause().then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(pause - 1)
    expect({ round, isOver }).toEqual({ round, isOver: false })
    await vi.advanceTimersByTimeAsync(1)
    expect({ round, isOver }).toEqual({ round, isOver: true })
  }
})

test("a pause can end early", async () => {
  await new Pace(40).pause(Promise.resolve()) // The timers stand still.
})

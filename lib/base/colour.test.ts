import { afterEach, expect, test, vi } from "vitest"
import { paint } from "./colour.ts"

afterEach(() => {
  vi.unstubAllEnvs()
})

test("only terminals get colours, and only if NO_COLOR is not set", () => {
  vi.stubEnv("NO_COLOR", undefined)
  expect(paint("red", "failed", { isTTY: true })).toBe("\u001b[31mfailed\u001b[39m")
  expect(paint("red", "failed", {})).toBe("failed")
  vi.stubEnv("NO_COLOR", "")
  expect(paint("red", "failed", { isTTY: true })).not.toBe("failed")
  vi.stubEnv("NO_COLOR", "1")
  expect(paint("red", "failed", { isTTY: true })).toBe("failed")
})

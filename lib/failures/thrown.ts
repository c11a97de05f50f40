import { messageOf } from "../base/errors.ts"
import { NoAccessError } from "../components/discovery/access.ts"
import { CommandTimeoutError, MachineEndedError, MachineError } from "../machines/agent-machine.ts"
import { FailureError } from "./errors.ts"
import type { Failure, Plain } from "./failure.ts"

/** The largest nesting depth and the largest number of characters of a recorded value. */
const DEEPEST = 8
const LONGEST = 20_000

/**
 * The Failure that describes a thrown value.
 * @param outcome the key of the outcome that was checked
 */
export function failureOf(thrown: unknown, outcome = ""): Failure {
  // A FailureError carries a Failure and no other type.
  if (thrown instanceof FailureError) return thrown.failure as Failure
  if (thrown instanceof MachineEndedError)
    return { kind: "machine-ended", machine: thrown.machine, reason: thrown.reason }
  if (thrown instanceof NoAccessError) return { kind: "no-access", tried: thrown.tried }
  if (thrown instanceof CommandTimeoutError)
    return { kind: "hung", command: thrown.command, waited: thrown.waited, printed: thrown.printed }
  // The operating system names the file of a refused write in quotes.
  if (thrown instanceof MachineError && thrown.code === "ENOSPC")
    return { kind: "disk-full", path: /'([^']+)'/.exec(thrown.message)?.[1] ?? "a file of the machine" }
  if (thrown instanceof MachineError)
    return { kind: "machine-refused", code: thrown.code, answer: messageOf(thrown).split("\n")[0] ?? "" }
  if (!(thrown instanceof Error))
    return { kind: "thrown", name: typeof thrown, message: String(thrown), code: undefined }
  // Assertion errors have the first two fields, errors of the operating system have the third.
  const { expected, actual, code } = thrown as { expected?: unknown; actual?: unknown; code?: unknown }
  if (thrown.name === "AssertionError" && (expected !== undefined || actual !== undefined))
    return {
      kind: "mismatch",
      outcome,
      expected: plain(expected),
      actual: plain(actual),
      ...(actual instanceof Error ? { cause: failureOf(actual) } : {}),
    }
  return {
    kind: "thrown",
    name: thrown.name,
    message: thrown.message,
    code: typeof code === "string" || typeof code === "number" ? String(code) : undefined,
  }
}

/**
 * A value as JSON; undefined stays undefined. An error, a regular expression or a matcher is replaced by its content.
 */
function plain(value: unknown, depth = 0): Plain | undefined {
  if (value === undefined) return undefined
  if (value === null || typeof value === "number" || typeof value === "boolean") return value
  if (typeof value === "string") return value.slice(0, LONGEST)
  if (typeof value !== "object") return typeof value === "bigint" ? value.toString() : typeof value
  if (depth > DEEPEST) return "…"
  if (value instanceof RegExp) return { pattern: value.source }
  if (value instanceof Error) return { error: value.message.slice(0, LONGEST) }
  if (Buffer.isBuffer(value)) return value.toString("latin1").slice(0, LONGEST)
  if (Array.isArray(value) || value instanceof Set)
    return [...(value as Iterable<unknown>)].map((item) => plain(item, depth + 1) ?? null)
  // A matcher such as expect.arrayContaining([…]) holds the expected value in `sample`.
  if ("$$typeof" in value && "sample" in value) return plain(value.sample, depth + 1) ?? null
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) => {
      const kept = plain(item, depth + 1)
      return kept === undefined ? [] : [[name, kept]]
    }),
  )
}

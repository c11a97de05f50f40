import { AsyncLocalStorage } from "node:async_hooks"
import { expect } from "vitest"
import { readSettings } from "../base/settings.ts"
import type { Command } from "../clients/command.ts"
import type { Finding } from "../failures/finding.ts"
import { failureOf } from "../failures/thrown.ts"
import { attemptUntil, resultOf, WaitError } from "../failures/until.ts"
import { Wait, type Foresee } from "../failures/wait.ts"
import { CommandTimeoutError } from "../machines/agent-machine.ts"
import { NotChecked } from "./not-checked.ts"

/** The patience of a wait after another wait of the run has used up all of it (milliseconds). */
const SHORT = 5_000

/** The outcome that waits, and what the run knows. */
export interface Waiting {
  /** The lesson's number and the outcome's title. */
  readonly outcome: string
  /** Whether another wait of the run has used up the whole patience already. */
  readonly isShort: boolean
  /** Looks for causes that no time heals while an outcome is awaited. */
  readonly foresee: Foresee
  /** The same while a command runs, which waits for components only. */
  readonly foreseeCommand: Foresee
  /** Whether a card of this run names this cause already. */
  readonly isKnown: (finding: Finding) => boolean
}

const waiting = new AsyncLocalStorage<Waiting>()

/** Runs the body of an outcome. Its waits end as soon as what they wait for cannot happen any more. */
export function waitingAs<T>(outcome: Waiting, body: () => Promise<T>): Promise<T> {
  return waiting.run(outcome, body)
}

/**
 * Attempts something again and again until it succeeds, until it cannot succeed any more, or until the patience runs
 * out.
 * @param patience milliseconds
 * @throws WaitError in the body of an outcome; elsewhere the error of the last attempt
 */
export async function until<T>(attempt: () => T | Promise<T>, patience = readSettings().patience): Promise<T> {
  const outcome = waiting.getStore()
  const began = performance.now()
  const hung = () => ({
    kind: "hung" as const,
    command: "the first attempt",
    waited: performance.now() - began,
    printed: "",
  })
  try {
    return await attemptUntil(attempt, {
      what: outcome?.outcome ?? "the expected result",
      patience: outcome?.isShort === true ? Math.min(patience, SHORT) : patience,
      failureOf: (error) => (error === undefined ? hung() : failureOf(error, outcome?.outcome)),
      foresee: outcome && foreseeFor(outcome, outcome.foresee),
      isFinal: (error) => error instanceof WaitError || error instanceof NotChecked,
    })
  } catch (error) {
    throw outcome === undefined && error instanceof WaitError ? error.cause : error
  }
}

/** A command that ends early if what it waits for cannot happen any more, such as an answer of a suspended etcd. */
export function accompanied(command: Command): Command {
  return async (line, options) => {
    const outcome = waiting.getStore()
    if (outcome === undefined) return command(line, options)
    const began = performance.now()
    const waited = () => Math.round(performance.now() - began)
    const failure = () => ({ kind: "hung" as const, command: line, waited: waited(), printed: "" })
    using wait = new Wait(`${line} ends`, failure, foreseeFor(outcome, outcome.foreseeCommand))
    const certainty = wait.certainty.then((finding) => ({ finding }))
    const result = await Promise.race([resultOf(() => command(line, options)), certainty])
    if ("finding" in result)
      throw new WaitError(`${line} ends`, new CommandTimeoutError(line, waited(), ""), result.finding)
    if ("error" in result) throw result.error
    return result.value
  }
}

/** A cause that a card of this run names already needs no second look. */
function foreseeFor({ isKnown }: Waiting, foresee: Foresee): Foresee {
  return async (failure) => (await foresee(failure)).map((one) => (isKnown(one.finding) ? { ...one, lasting: 0 } : one))
}

/**
 * Expects a value that becomes right a moment later: reads it again and again until it is right, until it cannot
 * become right any more, or until the patience runs out.
 * @param patience milliseconds
 */
export function eventually<T>(ask: () => T | Promise<T>, patience?: number): ReturnType<typeof expect.poll<T>> {
  // The matchers are those of expect, but each returns a promise.
  return matcher(ask, patience, []) as ReturnType<typeof expect.poll<T>>
}

/** @param words the names after the value, such as not, toBe */
function matcher<T>(ask: () => T | Promise<T>, patience: number | undefined, words: readonly string[]): unknown {
  const apply = async (args: readonly unknown[]) => {
    const expected = async () => {
      let assertion: unknown = expect(await ask())
      for (const word of words.slice(0, -1)) assertion = Reflect.get(Object(assertion), word)
      // The words are those of a matcher, as the type of `eventually` demands.
      const check = Reflect.get(Object(assertion), words.at(-1) ?? "") as (...given: readonly unknown[]) => unknown
      await check.apply(assertion, [...args])
    }
    // The stack of an error inside of the loop does not contain the line of the test.
    const place: { stack?: string } = {}
    Error.captureStackTrace(place, apply)
    await until(expected, patience).catch((error: unknown) => {
      const last = error instanceof WaitError ? error.cause : error
      if (last instanceof Error)
        last.stack = `${last.name}: ${last.message}${place.stack?.replace(/^[^\n]*/, "") ?? ""}`
      throw error
    })
  }
  return new Proxy(() => undefined, {
    // Something that is awaited without a matcher is not a promise.
    get: (_, word) => (word === "then" ? undefined : matcher(ask, patience, [...words, String(word)])),
    apply: (_, __, args: readonly unknown[]) => apply(args),
  })
}

import { setTimeout as sleep } from "node:timers/promises"
import { messageOf } from "../base/errors.ts"
import type { Operation } from "./history.ts"

/** What a client asks for: one member of a store. */
export interface KeyStore {
  readonly name: string
  /** @returns the revision that the write made */
  write(key: string, value: string): Promise<number>
  read(key: string): Promise<string | undefined>
}

export interface SteadyOptions {
  /** The members that are asked now. It is read before each operation, because members come and go. */
  readonly members: () => readonly KeyStore[]
  /** Each key has two writers and two readers of its own. */
  readonly keys: readonly string[]
  /** Operations that each client starts in a second, as long as they are answered. */
  readonly rate: number
  /** Makes values that no other history has. */
  readonly nonce: string
}

/** Clients that write and read until they are stopped, and what they have recorded. */
export interface SteadyClients extends AsyncDisposable {
  /** What was recorded until now. */
  readonly history: readonly Operation[]
  /** The time on the clock of the history, in nanoseconds. */
  now(): number
  /** Resolves to the whole history when the last operation has ended. */
  stop(): Promise<readonly Operation[]>
}

/** Few writers for each key: the check of the history takes exponential time in those that write at the same time. */
const WRITERS_OF_A_KEY = 2
const READERS_OF_A_KEY = 2

/**
 * With these words etcd says that a write was refused before it was proposed to the members. "database space
 * exceeded" is none of them: the member that is over its quota says it of a write that all members have made.
 */
const REFUSED = /too many requests|not capable|learner|permission denied/

/** After how many operations a client turns to the next member, although all is well. */
const TURN = 7

/**
 * Starts clients that write and read keys at a steady rate. A client asks one member, and turns to the next if that one
 * does not answer, as kube-apiserver does.
 */
export function steadyClients({ members, keys, rate, nonce }: SteadyOptions): SteadyClients {
  const history: Operation[] = []
  const origin = process.hrtime.bigint()
  const now = () => Number(process.hrtime.bigint() - origin)
  const state = { isStopped: false }

  async function run(client: number, key: string, op: Operation["op"]): Promise<void> {
    let turn = client
    for (let count = 0; !state.isStopped; count++) {
      const due = sleep(1000 / rate)
      const all = members()
      const member = all[turn % all.length]
      if (member !== undefined) {
        const value = `${nonce}-${client}-${count}`
        const start = now()
        const result = await (op === "put" ? written(member, key, value) : read(member, key))
        history.push({ client, member: member.name, op, key, start, end: now(), ...result })
        if (result.outcome !== "ok" || count % TURN === 0) turn++
      }
      await due
    }
  }

  const kinds = [
    ...Array.from({ length: WRITERS_OF_A_KEY }, () => "put" as const),
    ...Array.from({ length: READERS_OF_A_KEY }, () => "get" as const),
  ]
  const running = keys
    .flatMap((key) => kinds.map((op) => ({ key, op })))
    .map(({ key, op }, client) => run(client, key, op))
  const stop = async () => {
    state.isStopped = true
    await Promise.all(running)
    return history
  }
  return {
    history,
    now,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

type Result = Pick<Operation, "value" | "revision" | "outcome" | "error">

async function written(member: KeyStore, key: string, value: string): Promise<Result> {
  try {
    return { value, revision: await member.write(key, value), outcome: "ok" }
  } catch (error) {
    const said = messageOf(error)
    return { value, revision: undefined, outcome: REFUSED.test(said) ? "failed" : "unknown", error: said }
  }
}

/** A read changes nothing, so one without an answer tells nothing. */
async function read(member: KeyStore, key: string): Promise<Result> {
  try {
    return { value: await member.read(key), revision: undefined, outcome: "ok" }
  } catch (error) {
    return { value: undefined, revision: undefined, outcome: "failed", error: messageOf(error) }
  }
}

import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, test } from "vitest"
import { acknowledged, linesOf, longestGap, writesWithin, type Operation } from "./history.ts"
import { steadyClients, type KeyStore } from "./steady-clients.ts"

/** A store in memory. */
function memory(name: string): KeyStore & { values: Map<string, string>; answer: () => Promise<void> } {
  const values = new Map<string, string>()
  const store = {
    name,
    values,
    answer: () => Promise.resolve(),
    async write(key: string, value: string) {
      await store.answer()
      values.set(key, value)
      return values.size
    },
    async read(key: string) {
      await store.answer()
      return values.get(key)
    },
  }
  return store
}

const told = (end: number, outcome: Operation["outcome"] = "ok"): Operation => ({
  client: 0,
  member: "one",
  op: "put",
  key: "/a",
  value: String(end),
  revision: 1,
  start: (end - 1) * 1e6,
  end: end * 1e6,
  outcome,
})

describe("steady clients", () => {
  test("record each operation with its value and its times, for two writers and two readers of a key", async () => {
    const one = memory("one")
    const clients = steadyClients({ members: () => [one], keys: ["/a", "/b"], rate: 200, nonce: "n" })
    while (clients.history.length < 40) await sleep(5)
    const history = await clients.stop()
    expect(new Set(history.filter(({ op }) => op === "put").map(({ client, key }) => `${client} ${key}`))).toEqual(
      new Set(["0 /a", "1 /a", "4 /b", "5 /b"]),
    )
    const values = acknowledged(history).map(({ value }) => value)
    expect(new Set(values).size).toBe(values.length)
    expect(history.every(({ start, end }) => start <= end)).toBe(true)
    expect(linesOf(history).trim().split("\n")).toHaveLength(history.length)
  })

  test("a write without an answer is unknown, a refused one has failed, and the next member is asked", async () => {
    const [mute, full, busy, well] = [memory("mute"), memory("full"), memory("busy"), memory("well")]
    mute.answer = () => Promise.reject(new Error("14 UNAVAILABLE: connection dropped"))
    full.answer = () => Promise.reject(new Error("etcdserver: mvcc: database space exceeded"))
    busy.answer = () => Promise.reject(new Error("etcdserver: too many requests"))
    const clients = steadyClients({ members: () => [mute, full, busy, well], keys: ["/a"], rate: 500, nonce: "n" })
    while (clients.history.length < 60) await sleep(5)
    const puts = (await clients.stop()).filter(({ op }) => op === "put")
    const outcomes = (member: string) => new Set(puts.filter((put) => put.member === member).map((put) => put.outcome))
    expect(outcomes("mute")).toEqual(new Set(["unknown"]))
    expect(outcomes("full")).toEqual(new Set(["unknown"]))
    expect(outcomes("busy")).toEqual(new Set(["failed"]))
    expect(outcomes("well")).toEqual(new Set(["ok"]))
  })

  test("no member: the clients wait", async () => {
    const clients = steadyClients({ members: () => [], keys: ["/a"], rate: 500, nonce: "n" })
    await sleep(20)
    expect(await clients.stop()).toEqual([])
  })
})

describe("a history", () => {
  test("tells the longest time without an acknowledged write", () => {
    const history = [told(10), told(20), told(50, "unknown"), told(90)]
    expect(longestGap(history, 0, 100e6)).toBe(70)
    expect(longestGap(history, 0, 300e6)).toBe(210)
    expect(longestGap([], 0, 100e6)).toBe(100)
    expect(writesWithin(history, 15e6, 100e6)).toBe(2)
  })
})

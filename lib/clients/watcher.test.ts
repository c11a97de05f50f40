import { setTimeout as sleep } from "node:timers/promises"
import { expect, test } from "vitest"
import { deferred } from "../base/deferred.ts"
import { watcher, type Watchable } from "./watcher.ts"
import type { WatchResponse } from "./watch-record.ts"

const at = (revision: number): WatchResponse => ({
  revision,
  events: [{ key: "/a", value: "v", revision, kind: "put" }],
})

/** A member that sends these answers, and ends its stream after them if there is another member to ask. */
function member(name: string, answers: readonly WatchResponse[], isLast: boolean): Watchable & { asked: number[] } {
  const asked: number[] = []
  return {
    name,
    asked,
    watch: (_, from, onResponse) => {
      asked.push(from)
      const end = deferred<string>()
      for (const answer of answers) onResponse(answer)
      if (!isLast) end.resolve("broken")
      const promise = () => isLast && onResponse({ revision: 9, events: [] })
      return Promise.resolve({ promise, ended: end.promise, cancel: () => end.resolve("cancelled") })
    },
  }
}

test("a watch goes on at the next member after the last change that it has seen", async () => {
  const [one, two] = [member("one", [at(4), at(5)], false), member("two", [at(6)], true)]
  const running = watcher({ name: "w", members: () => [one, two], prefix: "/", from: 3 })
  while (running.revision < 9) await sleep(5)
  const { streams } = await running.stop()
  expect(streams.map(({ member: name, from }) => `${name} ${from}`)).toEqual(["one 3", "two 6"])
  expect(streams[1]?.responses).toContainEqual({ revision: 9, events: [] })
  expect(one.asked).toEqual([3])
})

test("a member that refuses the watch is left out, and a stopped watch ends at once", async () => {
  const refusing: Watchable = { name: "one", watch: () => Promise.reject(new Error("history was compacted")) }
  const two = member("two", [at(6)], true)
  await using running = watcher({ name: "w", members: () => [refusing, two], prefix: "/", from: 3 })
  while (running.revision < 6) await sleep(5)
  expect(running.record.streams.map(({ member: name }) => name)).toEqual(["two"])
})

import { describe, expect, test } from "vitest"
import { atomic, bookmarkable, ordered, promisesOf, reliable, resumable, unique } from "./watch-guarantees.ts"
import { truthOf, type WatchedEvent, type WatchRecord, type WatchResponse } from "./watch-record.ts"

/** The changes of a transaction that writes two keys. */
function pair(revision: number): WatchedEvent[] {
  return ["/a", "/a.twin"].map((key) => ({ key, value: `v${revision}`, revision, kind: "put" }))
}

const at = (revision: number): WatchResponse => ({ revision, events: pair(revision) })
const promise = (revision: number): WatchResponse => ({ revision, events: [] })
const watch = (...streams: WatchResponse[][]): WatchRecord => ({
  name: "watch",
  streams: streams.map((responses, number) => ({
    member: "one",
    from:
      number === 0
        ? 1
        : Math.max(
            ...streams
              .slice(0, number)
              .flat()
              .map(({ revision }) => revision),
          ) + 1,
    responses,
    end: undefined,
  })),
})

const written = [2, 3, 5].flatMap(pair)
const truth = truthOf(written, [])
const good = watch([at(2), promise(2), at(3)], [promise(4), at(5), promise(6)])
const guarantees = { ordered, unique, reliable, atomic, resumable, bookmarkable }

/** The guarantees that a record does not keep. */
function broken(record: WatchRecord): string[] {
  return Object.entries(guarantees)
    .filter(([, guarantee]) => guarantee(record, truth).length > 0)
    .map(([name]) => name)
}

describe("the guarantees of a watch", () => {
  test("a good record keeps all of them", () => {
    expect(broken(good)).toEqual([])
    expect(promisesOf(good)).toBe(3)
  })

  test("several revisions may come in one answer", () => {
    expect(broken(watch([{ revision: 5, events: written }]))).toEqual([])
  })

  test("ordered: a revision after a later one", () => {
    expect(broken(watch([at(3), at(2), at(5)]))).toEqual(["ordered"])
    expect(ordered(watch([at(3), at(2), at(5)]), truth)).toEqual(["watch: revision 2 came after 3"])
  })

  test("ordered: also across streams", () => {
    expect(broken(watch([at(2), at(5)], [at(3)]))).toContain("ordered")
  })

  test("unique: a change that comes twice", () => {
    expect(broken(watch([at(2), at(3), at(3), at(5)]))).toEqual(["unique"])
  })

  test("unique: also on the stream that goes on", () => {
    expect(broken(watch([at(2), at(3)], [at(3), at(5)]))).toContain("unique")
  })

  test("reliable: a change is missing between two", () => {
    expect(broken(watch([at(2), at(5)]))).toEqual(["reliable"])
  })

  test("reliable: the last change is missing", () => {
    expect(broken(watch([at(2), at(3)]))).toEqual(["reliable"])
  })

  test("reliable: a change comes with another value", () => {
    const other = { revision: 3, events: pair(3).map((event) => ({ ...event, value: "other" })) }
    expect(broken(watch([at(2), other, at(5)]))).toEqual(["reliable"])
  })

  test("reliable: a watch misses what another watch has seen, and no client was told of", () => {
    const unknown = watch([at(2), at(3), at(4), at(5)])
    const both = truthOf(written, [unknown, good])
    expect(reliable(unknown, both)).toEqual([])
    expect(reliable(good, both)).toEqual([
      "watch: /a at revision 4 did not come",
      "watch: /a.twin at revision 4 did not come",
    ])
  })

  test("atomic: the changes of a revision come in two answers", () => {
    const [first, second] = pair(3)
    const halves = [first, second].flatMap((event) => (event === undefined ? [] : [{ revision: 3, events: [event] }]))
    expect(broken(watch([at(2), ...halves, at(5)]))).toEqual(["atomic"])
  })

  test("resumable: a stream goes on later than it was asked", () => {
    expect(broken(watch([at(2)], [at(5)]))).toEqual(["reliable", "resumable"])
  })

  test("bookmarkable: a promise comes before a change that it includes", () => {
    expect(broken(watch([at(2), promise(3), at(3), at(5)]))).toEqual(["bookmarkable"])
  })

  test("bookmarkable: a promise includes a change that never comes", () => {
    expect(broken(watch([at(2), promise(4), at(5)]))).toEqual(["reliable", "bookmarkable"])
  })
})

import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { runResultOf } from "../report/result.ts"
import type { Identifier } from "../subjects/host-identifiers.ts"
import { bookData } from "./book.ts"
import { compareHosts, merged, sightingsData, sightingsIn, sightingsOfBook, type Sighting } from "./identifiers.ts"
import { hostsTitle, ownerText, similarData, similarLines } from "./similar-report.ts"

let here: string
beforeAll(() => {
  here = mkdtempSync(join(tmpdir(), "byhand-identifiers-"))
})
afterAll(() => rmSync(here, { recursive: true }))

const DAY = 86_400_000
const CA: Identifier = { kind: "CA certificate", value: "a".repeat(64) }
const UID: Identifier = { kind: "uid of the namespace kube-system", value: "0f7d4b9a-1c52-4f0e-9c3e-2b1a5d6e7f80" }
const seen = (student: string, first: number, ...all: Identifier[]): Sighting[] =>
  all.map((one) => ({ ...one, student, first }))
const own = (student: string) => seen(student, DAY, { ...CA, value: student.padEnd(64, "0") })

test("hosts that share something are one group, and the others are not named", () => {
  const now = [...seen("bob", DAY, CA, UID), ...seen("alice", 2 * DAY, CA, UID), ...own("alice"), ...own("carol")]
  const { compared, shared } = compareHosts(now, [])
  expect(compared).toBe(3)
  expect(shared).toEqual([
    {
      identifiers: [CA, UID],
      owners: [
        { student: "alice", first: 2 * DAY, isEarlier: false },
        { student: "bob", first: DAY, isEarlier: false },
      ],
    },
  ])
  expect(hostsTitle(shared[0] ?? { identifiers: [], owners: [] })).toBe(
    "the same CA certificate (aaaaaaaaaaaa…) and uid of the namespace kube-system (0f7d4b9a-1c5…) on 2 hosts",
  )
})

test("earlier books are compared too; the same id is the same student, and old pairs are not named again", () => {
  const earlier = [...seen("old", 0, CA), ...seen("older", 0, UID), ...seen("oldest", 0, UID)]
  const { shared } = compareHosts(seen("alice", DAY, CA), [...earlier, ...seen("alice", 0, CA)])
  expect(shared).toEqual([
    {
      identifiers: [CA],
      owners: [
        { student: "alice", first: 0, isEarlier: false },
        { student: "old", first: 0, isEarlier: true },
      ],
    },
  ])
  expect(shared[0]?.owners.map(ownerText)).toEqual([
    "alice, first seen 1970-01-01 00:00 UTC",
    "old, in an earlier run 1970-01-01 00:00 UTC",
  ])
  expect(compareHosts(seen("alice", DAY, CA), seen("alice", 0, CA)).shared).toEqual([])
})

test("a book keeps what was seen, and a later run reads it; other files are refused", () => {
  const graded = runResultOf({ kubernetes: "1.37.2", subject: "local", milliseconds: 1, identifiers: [CA] }, [], [])
  const now = sightingsIn([
    { id: "alice", at: 2 * DAY, outcome: { kind: "graded", result: graded } },
    { id: "bob", at: 2 * DAY, outcome: { kind: "ungraded", reason: "x", after: null, isOurs: true } },
  ])
  expect(now).toEqual(seen("alice", 2 * DAY, CA))
  const all = merged([...now, ...seen("alice", DAY, CA), ...seen("old", 0, UID)])
  expect(all).toEqual([...seen("old", 0, UID), ...seen("alice", DAY, CA)])
  const file = join(here, "book.json")
  const rules = {
    lessons: [],
    isChosen: false,
    weights: undefined,
    credit: "per outcome",
    due: undefined,
    late: undefined,
  } as const
  const keep = (more: object) =>
    writeFileSync(file, JSON.stringify(bookData({ title: undefined, rules }, [], { ...more })))
  keep({ seen: sightingsData(all) })
  expect(sightingsOfBook(file)).toEqual(all)
  keep({}) // A book of an older version.
  expect(sightingsOfBook(file)).toEqual([])
  for (const text of ["{", "{}", `{"schema":"byhand/class-book/v1","seen":[1]}`]) {
    writeFileSync(file, text)
    expect(() => sightingsOfBook(file)).toThrow(/\/book\.json is no grade book: .* Name a book\.json that byhand class/)
  }
})

test("the report names the hosts as a fact, and fits the terminal", () => {
  const hosts = compareHosts([...seen("alice", DAY, CA, UID), ...seen("bob", DAY, CA, UID)], [])
  const similar = { keys: [], pairs: [], compared: 0, others: [], given: 0, hosts }
  const lines = similarLines(similar, { width: 80, isTTY: false })
  expect(lines.filter((line) => line.length > 80)).toEqual([])
  expect(lines.slice(0, 3).join(" ")).toContain("Similarity alone is never a verdict")
  expect(lines.join("\n")).toContain("2 hosts were compared: 1 group of hosts.")
  expect(lines).toContain("  bob, first seen 1970-01-02 00:00 UTC")
  expect(similarData(similar)).toMatchObject({
    hosts: { compared: 2, shared: [{ identifiers: [CA, UID], students: [{ id: "alice" }, { id: "bob" }] }] },
  })
  const none = { ...similar, hosts: compareHosts(seen("alice", DAY, CA), []) }
  expect(similarLines(none, { width: 80, isTTY: false }).at(-1)).toBe(
    "1 host was compared: nothing in common but what is given.",
  )
})

import { readFileSync } from "node:fs"
import { z } from "zod"
import { messageOf, UsageError } from "../base/errors.ts"
import { IDENTIFIER_KINDS, type Identifier } from "../subjects/host-identifiers.ts"
import { BOOK_SCHEMA } from "./book.ts"
import type { Row } from "./row.ts"

/** An identifier that was seen on the host of a student. */
export interface Sighting extends Identifier {
  readonly student: string
  /** When a run first saw it, in milliseconds since the epoch. */
  readonly first: number
}

/** Someone whose host has an identifier. */
export interface Owner {
  readonly student: string
  readonly first: number
  /** Whether only an earlier book says so, not this run. */
  readonly isEarlier: boolean
}

/** Identifiers that the hosts of the same students have in common. It is a fact, and no verdict. */
export interface SharedIdentifiers {
  readonly identifiers: readonly Identifier[]
  /** At least two; one of them is of this run. */
  readonly owners: readonly Owner[]
}

/** What was found by comparing the hosts of a class. */
export interface HostSimilarities {
  /** How many hosts of this run were compared. */
  readonly compared: number
  readonly shared: readonly SharedIdentifiers[]
}

const bookSchema = z.object({
  schema: z.literal(BOOK_SCHEMA),
  seen: z
    .array(
      z.object({
        kind: z.enum(IDENTIFIER_KINDS),
        value: z.string(),
        student: z.string(),
        first: z.iso.datetime().transform((text) => Date.parse(text)),
      }),
    )
    .default([]),
})

/** What identifies the hosts of this run, as rows have it. */
export function sightingsIn(rows: readonly Pick<Row, "id" | "at" | "outcome">[]): Sighting[] {
  return rows.flatMap(({ id, at, outcome }) =>
    outcome.kind === "graded"
      ? (outcome.result.identifiers ?? []).map((one) => ({ ...one, student: id, first: at }))
      : [],
  )
}

/** Sightings without those that are there already; of two, the earlier one stays. */
export function merged(all: readonly Sighting[]): Sighting[] {
  const kept = new Map<string, Sighting>()
  for (const one of all.toSorted((a, b) => a.first - b.first)) {
    if (!kept.has(keyOf(one))) kept.set(keyOf(one), one)
  }
  return [...kept.values()]
}

/**
 * What the hosts of this run have in common with each other, and with those in earlier books. The same id is the same
 * student.
 */
export function compareHosts(now: readonly Sighting[], earlier: readonly Sighting[]): HostSimilarities {
  const groups = new Map<string, { identifier: Identifier; owners: Map<string, Owner> }>()
  const current = new Set(now.map(keyOf))
  for (const one of merged([...now, ...earlier])) {
    const { kind, value, student, first } = one
    const which = JSON.stringify([kind, value])
    const group = groups.get(which) ?? { identifier: { kind, value }, owners: new Map<string, Owner>() }
    group.owners.set(student, { student, first, isEarlier: !current.has(keyOf(one)) })
    groups.set(which, group)
  }
  const byOwners = new Map<string, { identifiers: Identifier[]; owners: readonly Owner[] }>()
  for (const { identifier, owners } of groups.values()) {
    const all = [...owners.values()].toSorted((a, b) => (a.student < b.student ? -1 : 1))
    // What only earlier books have in common was named then.
    if (all.length < 2 || all.every(({ isEarlier }) => isEarlier)) continue
    const who = JSON.stringify(all.map(({ student, isEarlier }) => [student, isEarlier]))
    const same = byOwners.get(who) ?? { identifiers: [], owners: all }
    same.identifiers.push(identifier)
    byOwners.set(who, same)
  }
  const shared = [...byOwners.values()].toSorted((a, b) => b.identifiers.length - a.identifiers.length)
  return { compared: new Set(now.map(({ student }) => student)).size, shared }
}

function keyOf({ kind, value, student }: Sighting): string {
  return JSON.stringify([kind, value, student])
}

/**
 * What an earlier grade book, as JSON, has seen.
 * @throws UsageError if the file is no such book
 */
export function sightingsOfBook(file: string): Sighting[] {
  const wrong = (why: string, cause?: unknown) =>
    new UsageError(`${file} is no grade book: ${why}.`, "Name a book.json that byhand class has written.", { cause })
  try {
    const read = bookSchema.safeParse(JSON.parse(readFileSync(file, "utf8")))
    if (read.success) return read.data.seen
    const [issue] = read.error.issues
    throw wrong(`${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`.trim())
  } catch (error) {
    throw error instanceof UsageError ? error : wrong(messageOf(error), error)
  }
}

/** Sightings as JSON. */
export function sightingsData(all: readonly Sighting[]): object[] {
  return all.map(({ first, ...one }) => ({ ...one, first: new Date(first).toISOString() }))
}

// The guarantees of etcd's watch as checks of what was recorded. Each returns the violations as sentences; an empty
// list if the guarantee was kept. https://etcd.io/docs/latest/learning/api_guarantees/#watch-apis
import { eventsOf, type Truth, type WatchedEvent, type WatchRecord } from "./watch-record.ts"

type Guarantee = (record: WatchRecord, truth: Truth) => string[]

/** Ordered: changes come in the order of their revisions. */
export const ordered: Guarantee = (record) =>
  eventsOf(record).flatMap((event, at, all) => {
    const before = all[at - 1]
    return before !== undefined && event.revision < before.revision
      ? [`${record.name}: revision ${event.revision} came after ${before.revision}`]
      : []
  })

/** Unique: no change comes twice. */
export const unique: Guarantee = (record) => {
  const seen = new Set<string>()
  return eventsOf(record).flatMap((event) => {
    const id = `${event.key} ${event.revision}`
    if (!seen.has(id)) {
      seen.add(id)
      return []
    }
    return [`${record.name}: ${event.key} at revision ${event.revision} came twice`]
  })
}

/**
 * Reliable: no change between two that came is missing, and each is what was written. Also the last change of the store
 * must have come.
 */
export const reliable: Guarantee = (record, truth) => {
  const seen = new Map(eventsOf(record).map((event) => [idOf(event), event]))
  const from = record.streams[0]?.from ?? 0
  return [...truth].flatMap(([revision, events]) =>
    revision < from
      ? []
      : events.flatMap((event) => {
          const came = seen.get(idOf(event))
          if (came === undefined) return [`${record.name}: ${event.key} at revision ${revision} did not come`]
          return came.value === event.value && came.kind === event.kind
            ? []
            : [
                `${record.name}: ${event.key} at revision ${revision} came as ${came.kind} ${came.value}, and was ${event.kind} ${event.value}`,
              ]
        }),
  )
}

/** Atomic: all changes of one revision come in one answer. */
export const atomic: Guarantee = (record, truth) =>
  record.streams.flatMap(({ responses }) =>
    responses.flatMap(({ events }) => {
      return [...new Set(events.map(({ revision }) => revision))].flatMap((revision) => {
        const all = truth.get(revision)?.length ?? 0
        const distinct = new Set(events.filter((event) => event.revision === revision).map(({ key }) => key)).size
        return distinct < all
          ? [`${record.name}: an answer has ${distinct} of the ${all} changes of revision ${revision}`]
          : []
      })
    }),
  )

/** Resumable: a stream that asks for the changes from a revision on begins with the first of them. */
export const resumable: Guarantee = (record, truth) =>
  record.streams.slice(1).flatMap(({ member, from, responses }) => {
    const first = responses.flatMap(({ events }) => events)[0]
    const expected = [...truth.keys()].find((revision) => revision >= from)
    return first !== undefined && first.revision !== expected
      ? [`${record.name}: resumed at ${member} from revision ${from}, it began with ${first.revision}, not ${expected}`]
      : []
  })

/** Bookmarkable: an answer without changes promises that all changes up to its revision have come before. */
export const bookmarkable: Guarantee = (record, truth) => {
  const come = new Set<string>()
  const from = record.streams[0]?.from ?? 0
  const violations: string[] = []
  const awaited = [...truth].filter(([revision]) => revision >= from)
  let checked = 0
  for (const { responses } of record.streams) {
    let promised = 0
    for (const { revision, events } of responses) {
      for (const event of events) {
        if (event.revision <= promised)
          violations.push(
            `${record.name}: ${event.key} at revision ${event.revision} came after the promise of ${promised}`,
          )
        come.add(idOf(event))
      }
      if (events.length > 0) continue
      promised = Math.max(promised, revision)
      // Revisions that an earlier answer promised are not checked again.
      for (; checked < awaited.length; checked++) {
        const [at = 0, all = []] = awaited[checked] ?? []
        if (at > revision) break
        for (const event of all)
          if (!come.has(idOf(event)))
            violations.push(`${record.name}: ${event.key} at revision ${at} had not come when ${revision} was promised`)
      }
    }
  }
  return violations
}

/** The number of answers that promise all changes up to a revision. */
export function promisesOf({ streams }: WatchRecord): number {
  return streams.reduce((sum, { responses }) => sum + responses.filter(({ events }) => events.length === 0).length, 0)
}

function idOf({ key, revision }: WatchedEvent): string {
  return `${key} ${revision}`
}

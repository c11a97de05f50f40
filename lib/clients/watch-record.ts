/** One change of a key, as a watch has seen it. */
export interface WatchedEvent {
  readonly key: string
  readonly value: string
  /** The revision of the store that the change made. */
  readonly revision: number
  readonly kind: "put" | "delete"
}

/** One answer of etcd on a watch. */
export interface WatchResponse {
  /** The revision of the store in the answer's header. An answer without events promises all changes up to it. */
  readonly revision: number
  readonly events: readonly WatchedEvent[]
}

/** What came on one stream, from its beginning until it broke. */
export interface WatchStream {
  /** The member that was asked. */
  readonly member: string
  /** The revision of the first change that was asked for. */
  readonly from: number
  readonly responses: readonly WatchResponse[]
  /** Why it broke; undefined while it lasts. */
  readonly end: string | undefined
}

/** A watch: its streams in order. Each one after the first continues after the last change that was seen before. */
export interface WatchRecord {
  readonly name: string
  readonly streams: readonly WatchStream[]
}

/** The changes of a store by revision, in order. One revision can change several keys. */
export type Truth = ReadonlyMap<number, readonly WatchedEvent[]>

/** All changes that a record has seen, in the order in which they came. */
export function eventsOf({ streams }: Pick<WatchRecord, "streams">): WatchedEvent[] {
  return streams.flatMap(({ responses }) => responses.flatMap(({ events }) => events))
}

/**
 * What has happened in the store: what clients were told that they have written, and what any watch has seen. So a
 * watch that misses what another one has seen is found out.
 * @param written acknowledged writes
 */
export function truthOf(written: readonly WatchedEvent[], records: readonly WatchRecord[]): Truth {
  const truth = new Map<number, Map<string, WatchedEvent>>()
  for (const event of [...written, ...records.flatMap(eventsOf)]) {
    const sameRevision = truth.get(event.revision) ?? new Map<string, WatchedEvent>()
    if (!sameRevision.has(event.key)) sameRevision.set(event.key, event)
    truth.set(event.revision, sameRevision)
  }
  return new Map(
    [...truth].toSorted(([one], [other]) => one - other).map(([revision, events]) => [revision, [...events.values()]]),
  )
}

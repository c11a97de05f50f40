import type { Etcd3, IHashKVResponse, IOptions, IWatchResponse } from "etcd3"
import { deferred } from "../base/deferred.ts"
import { connect, type ClientTls } from "./etcd-connection.ts"
import type { WatchedEvent, WatchResponse } from "./watch-record.ts"

/** Milliseconds after which a request counts as not answered, by default. */
const ANSWER_WITHIN = 10_000

/** A member of a cluster, as one of the members lists it. */
export interface ListedMember {
  /** In hexadecimal, as etcdctl prints it. */
  readonly id: string
  /** Empty until the member has started for the first time. */
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}

/** What a member says of itself. It answers this without asking other members. */
export interface MemberStatus {
  /** The ids are in hexadecimal, as etcdctl prints them. */
  readonly id: string
  readonly clusterId: string
  /** "0" if the member knows no leader. */
  readonly leader: string
  readonly term: number
  readonly raftIndex: number
  /** The revision of its store. */
  readonly revision: number
  readonly isLearner: boolean
  /** The bytes of its database file, and how many of them are used. */
  readonly size: number
  readonly used: number
  /** Alarms and complaints in its own words. */
  readonly errors: readonly string[]
}

/** A hash of all keys up to a revision. It is the same at all members. */
export interface StoreHash {
  readonly hash: number
  readonly revision: number
  /** The revision up to which history was compacted. It changes the hash. */
  readonly compacted: number
}

/** A watch of one member. */
export interface MemberWatch {
  /** Asks for an answer that promises all changes up to a revision. */
  promise(): void
  /** Resolves to the reason when the stream has ended. */
  readonly ended: Promise<string>
  /** Ends the stream. */
  cancel(): void
}

/** How a member may be read. serializable: from its own data, which can be stale. */
export type Reading = "linearizable" | "serializable"

/** The key that a write creates together with its own, in the same revision. It is never overwritten. */
export function traceOf(key: string, value: string): string {
  return `${key}/${value}`
}

/** Lets every call pass once. The client's own policy repeats calls, and then a history does not tell what happened. */
const once: NonNullable<NonNullable<IOptions["faultHandling"]>["global"]> = {
  // etcd3 declares this property for the compiler only.
  _altReturn: undefined as never,
  execute: async (call) => call({ signal: new AbortController().signal }),
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
}

/**
 * A client of one member of etcd. It asks no other member and repeats nothing. So each answer is that member's, and
 * each call is one request.
 */
export class EtcdMember implements Disposable {
  readonly name: string
  readonly #client: Etcd3
  readonly #within: number

  /**
   * @param name the member's name
   * @param address host:port on this host
   * @param within milliseconds after which a request counts as not answered
   */
  constructor(name: string, address: string, tls?: ClientTls, within = ANSWER_WITHIN) {
    this.name = name
    this.#within = within
    this.#client = connect(address, tls, {
      // A member that comes back is asked again at once.
      grpcOptions: { "grpc.initial_reconnect_backoff_ms": 50, "grpc.max_reconnect_backoff_ms": 100 },
      faultHandling: { host: () => once, global: once },
      defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + within }),
    })
  }

  /**
   * Writes a key, and a key of its own for this value, in one transaction.
   * @returns the revision that both have
   */
  async write(key: string, value: string): Promise<number> {
    const puts = [key, traceOf(key, value)].map((one) => ({
      request_put: { key: Buffer.from(one), value: Buffer.from(value) },
    }))
    const { header } = await this.#client.kv.txn({ compare: [], success: puts, failure: [] })
    return Number(header.revision)
  }

  /** The value of a key; undefined if the key does not exist. */
  async read(key: string, reading: Reading = "linearizable"): Promise<string | undefined> {
    const { kvs } = await this.#client.kv.range({
      key: Buffer.from(key),
      serializable: reading === "serializable",
    })
    return kvs[0]?.value.toString()
  }

  /** All keys that begin with a prefix. */
  async keys(prefix: string, reading: Reading = "linearizable"): Promise<string[]> {
    const { kvs } = await this.#client.kv.range({
      key: Buffer.from(prefix),
      serializable: reading === "serializable",
      range_end: afterPrefix(prefix),
      keys_only: true,
    })
    return kvs.map(({ key }) => key.toString())
  }

  /** All members that this one knows, in the order of their names. @throws if no majority of the members answers */
  async members(): Promise<ListedMember[]> {
    const { members } = await this.#client.cluster.memberList({})
    return members
      .map(({ ID, name, peerURLs, clientURLs, isLearner }) => ({
        id: hex(ID),
        name,
        peerUrls: peerURLs,
        clientUrls: clientURLs,
        isLearner,
      }))
      .toSorted((a, b) => a.name.localeCompare(b.name))
  }

  async status(): Promise<MemberStatus> {
    const answer = await this.#client.maintenance.status()
    return {
      id: hex(answer.header.member_id),
      clusterId: hex(answer.header.cluster_id),
      leader: hex(answer.leader),
      term: Number(answer.raftTerm),
      raftIndex: Number(answer.raftIndex),
      revision: Number(answer.header.revision),
      isLearner: answer.isLearner,
      size: Number(answer.dbSize),
      used: Number(answer.dbSizeInUse),
      errors: answer.errors,
    }
  }

  /** @param revision by default the newest */
  async hash(revision = 0): Promise<StoreHash> {
    // maintenance.hashKV calls a method that the gRPC client has under another name.
    const answer = this.#client.maintenance["client"].exec("Maintenance", "hashKv", { revision })
    const { hash, header, compact_revision: compacted } = (await answer) as IHashKVResponse // Of that method.
    return { hash: Number(hash), revision: revision || Number(header.revision), compacted: Number(compacted) }
  }

  /**
   * Watches all keys that begin with a prefix. Resolves when the member has accepted the watch.
   * @param from the revision of the first change; if it was compacted, the stream ends at once
   * @throws Error if the member does not answer
   */
  async watch(prefix: string, from: number, onResponse: (response: WatchResponse) => void): Promise<MemberWatch> {
    const stream = await this.#client.watchClient.watch()
    const state = { isCreated: false }
    const ended = deferred<string>()
    const created = deferred<void>()
    created.promise.catch(() => undefined) // The caller may not wait for it any more.
    const end = (reason: string) => {
      created.reject(new Error(reason))
      ended.resolve(reason)
    }
    stream.on("data", (response) => {
      if (response.canceled) {
        end(refusalOf(response))
        stream.cancel()
      } else if (response.created && !state.isCreated) {
        state.isCreated = true
        created.resolve()
      } else onResponse({ revision: Number(response.header.revision), events: eventsIn(response) })
    })
    stream.on("error", ({ message }) => end(message))
    stream.on("end", () => end("the stream has ended"))
    stream.write({
      create_request: { key: Buffer.from(prefix), range_end: afterPrefix(prefix), start_revision: from },
    })
    const timer = setTimeout(() => {
      end(`${this.name} did not accept the watch`)
      stream.cancel()
    }, this.#within)
    await created.promise.finally(() => clearTimeout(timer))
    return {
      promise: () => stream.write({ progress_request: {} }),
      ended: ended.promise,
      cancel: () => {
        stream.cancel()
        ended.resolve("this client has ended the watch")
      },
    }
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

function refusalOf({ compact_revision: compacted, cancel_reason: reason }: IWatchResponse): string {
  return compacted === "0" ? reason || "etcd has cancelled the watch" : `history was compacted up to ${compacted}`
}

function eventsIn({ events }: IWatchResponse): WatchedEvent[] {
  return events.map(({ type, kv }) => ({
    key: kv.key.toString(),
    value: kv.value.toString(),
    revision: Number(kv.mod_revision),
    // The declaration of etcd3 has other capitals than etcd.
    kind: type.toUpperCase() === "DELETE" ? "delete" : "put",
  }))
}

/** The first key after all keys with this prefix. */
function afterPrefix(prefix: string): Buffer {
  const bytes = Buffer.from(prefix)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1
  return bytes
}

function hex(id: string): string {
  return BigInt(id).toString(16)
}

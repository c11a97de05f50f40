import { setTimeout as sleep } from "node:timers/promises"
import type { Etcd3, IKeyValue, WatchBuilder } from "etcd3"
import { messageOf } from "../base/errors.ts"
import { FailureError } from "../failures/errors.ts"
import type { EtcdRefused } from "../failures/failure.ts"
import { connect, type ClientTls } from "./etcd-connection.ts"

/** The longest time that a call may take, in milliseconds. */
const ANSWER_WITHIN = 10_000

/** etcd refused a request. The failure contains the error message of etcd. */
class EtcdRefusedError extends FailureError<EtcdRefused> {
  constructor(cause: unknown) {
    super({ kind: "etcd-refused", answer: messageOf(cause) }, "Repeat the request with etcdctl on the machine.", {
      cause,
    })
  }
}

/** One version of a key's value. etcd keeps all versions until they are compacted. */
export interface Revision {
  /** The revision of the store at which the key got this value. */
  readonly revision: number
  readonly value: string
  /** The same value as bytes, without decoding. */
  readonly bytes: Buffer
}

/** A change of one key. */
export interface Change {
  readonly key: string
  /** The revision of the store that the change made. */
  readonly revision: number
  readonly kind: "created" | "changed" | "deleted"
}

/**
 * A client of the etcd API. Each call has a timeout of ten seconds, so that a lesson does not hang if etcd does not
 * answer.
 */
export class EtcdClient implements Disposable {
  readonly #client: Etcd3

  constructor(address: string, tls?: ClientTls) {
    this.#client = connect(address, tls, {
      defaultCallOptions: () => ({ deadline: Date.now() + ANSWER_WITHIN }),
    })
  }

  /** The value of a key; undefined if the key does not exist. */
  async get(key: string): Promise<Revision | undefined> {
    const { kvs } = await answered(this.#client.get(key).exec())
    return kvs[0] === undefined ? undefined : revisionOf(kvs[0])
  }

  /** The revision of the store at which a key was created; 0 if the key does not exist. */
  async createdAt(key: string): Promise<number> {
    return Number((await answered(this.#client.get(key).exec())).kvs[0]?.create_revision ?? 0)
  }

  async put(key: string, value: string): Promise<void> {
    await answered(this.#client.put(key).value(value).exec())
  }

  async delete(key: string): Promise<void> {
    await answered(this.#client.delete().key(key).exec())
  }

  /** All keys that begin with a prefix. */
  keys(prefix: string): Promise<string[]> {
    return answered(this.#client.getAll().prefix(prefix).keys())
  }

  /** The current revision of the store. Each change of a key increases it by one. */
  async revision(): Promise<number> {
    return Number((await answered(this.#client.get("any").exec())).header.revision)
  }

  /**
   * Resolves when the watch is active. From then on `onPut` is called for each new value of the key, until the client
   * is closed.
   */
  async watch(key: string, onPut: (state: Revision) => void): Promise<void> {
    const watcher = await answered(this.#client.watch().key(key).create())
    watcher.on("put", (state) => onPut(revisionOf(state)))
  }

  /** All values of a key from the revision `from` to the newest; an empty list if the key does not exist. */
  async history(key: string, from: number): Promise<Revision[]> {
    const newest = await this.get(key)
    if (newest === undefined) return []
    const states: Revision[] = []
    await this.#follow(this.#client.watch().key(key).startRevision(String(from)), key, (state, isDeleted) => {
      if (isDeleted) return false // A deletion leaves no state.
      states.push(revisionOf(state))
      return states.at(-1)?.revision === newest.revision
    })
    return states
  }

  /**
   * All changes of keys that begin with a prefix, in order.
   * @param from the revision of the first change
   * @param isLast whether a change is the last one to wait for
   */
  async changes(prefix: string, from: number, isLast: (change: Change) => boolean): Promise<Change[]> {
    const changes: Change[] = []
    await this.#follow(this.#client.watch().prefix(prefix).startRevision(String(from)), prefix, (state, isDeleted) => {
      const { key, mod_revision: revision, create_revision: created } = state
      const kind = isDeleted ? "deleted" : created === revision ? "created" : "changed"
      const change: Change = { key: key.toString(), revision: Number(revision), kind }
      changes.push(change)
      return isLast(change)
    })
    return changes
  }

  /**
   * Runs a watch until `isLast` returns true for a change.
   * @param what what is watched, for the error message
   * @throws EtcdRefusedError if that change does not come in time
   */
  async #follow(
    watch: WatchBuilder,
    what: string,
    isLast: (state: IKeyValue, isDeleted: boolean) => boolean,
  ): Promise<void> {
    const watcher = await answered(watch.create())
    const all = new Promise<void>((resolve, reject) => {
      watcher.on("error", (error) => reject(new EtcdRefusedError(error)))
      watcher.on("put", (state) => {
        if (isLast(state, false)) resolve()
      })
      watcher.on("delete", (state) => {
        if (isLast(state, true)) resolve()
      })
    })
    const timer = new AbortController()
    const tooLate = sleep(ANSWER_WITHIN, undefined, { signal: timer.signal }).then(() => {
      throw new EtcdRefusedError(`the watch of ${what} did not end in ${ANSWER_WITHIN / 1000} s`)
    })
    tooLate.catch(() => undefined) // An aborted timer rejects, and nothing waits for it any more.
    // A watch that etcd has cancelled cannot be cancelled again: that call would not end.
    await Promise.race([all, tooLate]).finally(() => timer.abort())
    await watcher.cancel()
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

/** The answer of etcd. @throws EtcdRefusedError with the error message of etcd */
function answered<T>(answer: PromiseLike<T>): Promise<T> {
  return Promise.resolve(answer).catch((error: unknown) => {
    throw new EtcdRefusedError(error)
  })
}

function revisionOf(state: IKeyValue): Revision {
  return { revision: Number(state.mod_revision), value: state.value.toString(), bytes: state.value }
}

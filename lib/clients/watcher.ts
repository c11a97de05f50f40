import { setTimeout as sleep } from "node:timers/promises"
import { deferred } from "../base/deferred.ts"
import type { MemberWatch } from "./etcd-member.ts"
import type { WatchRecord, WatchResponse } from "./watch-record.ts"

/** What a watcher asks: one member of a store. */
export interface Watchable {
  readonly name: string
  watch(prefix: string, from: number, onResponse: (response: WatchResponse) => void): Promise<MemberWatch>
}

export interface WatcherOptions {
  readonly name: string
  /** The members to ask. The first is asked first; if its stream breaks, the next one, and so on. */
  readonly members: () => readonly Watchable[]
  readonly prefix: string
  /** The revision of the first change. */
  readonly from: number
}

/** A watch that goes on at another member when its stream breaks, and what it has recorded. */
export interface Watcher extends AsyncDisposable {
  readonly record: WatchRecord
  /** The revision up to which all changes have come. */
  readonly revision: number
  stop(): Promise<WatchRecord>
}

/** Milliseconds between two requests for a promise, and between two attempts to go on. */
const PROMISE_EACH = 250
const AGAIN_AFTER = 50

/** Starts a watch. It goes on after the last revision that it has seen, so that it misses nothing. */
export function watcher({ name, members, prefix, from }: WatcherOptions): Watcher {
  const streams: { member: string; from: number; responses: WatchResponse[]; end: string | undefined }[] = []
  const state = { isStopped: false, seen: from - 1, promised: 0 }
  const stopping = deferred<string>()

  async function follow(member: Watchable): Promise<void> {
    const stream = {
      member: member.name,
      from: state.seen + 1,
      responses: [] as WatchResponse[],
      end: undefined as string | undefined,
    }
    // What still arrives on a stream after its end comes again on the next one.
    const isOver = { value: false }
    const watch = await member.watch(prefix, stream.from, (response) => {
      if (state.isStopped || isOver.value) return
      stream.responses.push(response)
      for (const { revision } of response.events) state.seen = Math.max(state.seen, revision)
      if (response.events.length === 0) state.promised = Math.max(state.promised, response.revision)
    })
    streams.push(stream)
    const asking = setInterval(() => watch.promise(), PROMISE_EACH)
    watch.promise()
    stream.end = await Promise.race([watch.ended, stopping.promise])
    isOver.value = true
    clearInterval(asking)
    watch.cancel()
  }

  async function run(): Promise<void> {
    for (let turn = 0; !state.isStopped; turn++) {
      const all = members()
      const member = all[turn % all.length]
      // The next member is asked.
      if (member !== undefined) await follow(member).catch(() => undefined)
      if (!state.isStopped) await Promise.race([sleep(AGAIN_AFTER), stopping.promise])
    }
  }

  const running = run()
  const record: WatchRecord = { name, streams }
  const stop = async () => {
    state.isStopped = true
    stopping.resolve("this client has stopped")
    await running
    return record
  }
  return {
    record,
    get revision() {
      return Math.max(state.seen, state.promised)
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
    },
  }
}

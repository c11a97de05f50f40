import { traceOf, type EtcdMember } from "../clients/etcd-member.ts"
import { acknowledged, type Operation } from "../clients/history.ts"
import { steadyClients, type SteadyClients } from "../clients/steady-clients.ts"
import { watcher, type Watcher } from "../clients/watcher.ts"
import { truthOf, type Truth, type WatchedEvent, type WatchRecord } from "../clients/watch-record.ts"
import { until } from "./until.ts"

/** Under this prefix are all keys that the steady clients write. */
export const STEADY = "/steady/"

/** Two keys, each with two writers and two readers; operations of each client in a second. */
const KEYS = [`${STEADY}a`, `${STEADY}b`]
const RATE = 10

/** The fewest operations in a second that must have succeeded, outages included, so that a history says something. */
export const LEAST_RATE = 8

/** What steady clients and watches have recorded, when all of them have ended. */
export interface Recording {
  readonly history: readonly Operation[]
  readonly watches: readonly WatchRecord[]
  /** All changes that have happened. */
  readonly truth: Truth
  /** Operations in a second that succeeded. */
  readonly rate: number
}

/** Steady clients and one watch for each member. They go on while members die, until they are stopped. */
export class EtcdLoad implements AsyncDisposable {
  readonly clients: SteadyClients
  readonly #members: EtcdMember[]
  readonly #watchers: Watcher[] = []
  readonly #from: number
  #recording: Promise<Recording> | undefined

  private constructor(members: readonly EtcdMember[], from: number, nonce: string) {
    this.#members = [...members]
    this.#from = from
    this.clients = steadyClients({ members: () => this.#members, keys: KEYS, rate: RATE, nonce })
    for (const member of members) this.#watch(member)
  }

  /** @param nonce makes values that no other load writes */
  static async start(members: readonly EtcdMember[], nonce: string): Promise<EtcdLoad> {
    const revision = Math.max(...(await Promise.all(members.map(async (one) => (await one.status()).revision))))
    return new EtcdLoad(members, revision + 1, nonce)
  }

  /** Lets the clients ask a further member, and watches it. */
  add(member: EtcdMember): void {
    if (this.#members.includes(member)) return
    this.#members.push(member)
    this.#watch(member)
  }

  #watch(member: EtcdMember): void {
    const others = () => this.#members.filter((one) => one !== member)
    const options = { name: `the watch of ${member.name}`, prefix: STEADY, from: this.#from }
    this.#watchers.push(watcher({ ...options, members: () => [member, ...others()] }))
  }

  /** The number of writes that were acknowledged until now. */
  get acknowledged(): number {
    return acknowledged(this.clients.history).length
  }

  /** Resolves when a number of further writes were acknowledged. */
  async writes(count: number): Promise<void> {
    const before = this.acknowledged
    await until(() => {
      const now = this.acknowledged - before
      if (now < count) throw new Error(`${now} of ${count} writes were acknowledged`)
    })
  }

  /** Waits until each watch has seen the newest revision. @returns that revision */
  async seen(): Promise<number> {
    const revisions = this.#members.map(async (one) => (await one.status()).revision)
    const newest = Math.max(...(await Promise.all(revisions)))
    if (this.#recording === undefined) await this.#haveSeen(newest)
    return newest
  }

  #haveSeen(revision: number): Promise<void> {
    return until(() => {
      const behind = this.#watchers.find((one) => one.revision < revision)
      if (behind !== undefined)
        throw new Error(`${behind.record.name} has seen revision ${behind.revision} of ${revision}`)
    })
  }

  /** Stops the clients, waits until each watch has seen all that they wrote, and stops the watches. */
  stop(): Promise<Recording> {
    this.#recording ??= this.#stop()
    return this.#recording
  }

  async #stop(): Promise<Recording> {
    const history = await this.clients.stop()
    const seconds = this.clients.now() / 1e9
    const last = Math.max(0, ...acknowledged(history).map(({ revision = 0 }) => revision))
    await this.#haveSeen(last).catch(() => undefined) // What has not come is a violation that the checks report.
    const watches = await Promise.all(this.#watchers.map((one) => one.stop()))
    const written = acknowledged(history).flatMap(({ key, value = "", revision = 0 }) =>
      [key, traceOf(key, value)].map((one): WatchedEvent => ({ key: one, value, revision, kind: "put" })),
    )
    const succeeded = history.filter(({ outcome }) => outcome === "ok").length
    return { history, watches, truth: truthOf(written, watches), rate: succeeded / seconds }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clients.stop()
    await Promise.all(this.#watchers.map((one) => one.stop()))
  }
}

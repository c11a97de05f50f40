import { afterAll, beforeAll, expect, test, vi } from "vitest"
import type { Forward, Machine, Spawned } from "../machines/machine.ts"
import { startSandbox } from "../machines/sandbox.ts"
import { artifacts, workplace, type Workplace } from "../proof/testing/workplace.ts"
import { EtcdMember, traceOf } from "./etcd-member.ts"
import { acknowledged } from "./history.ts"
import { judge } from "./porcupine.ts"
import { steadyClients } from "./steady-clients.ts"
import { watcher } from "./watcher.ts"
import { atomic, bookmarkable, ordered, promisesOf, reliable, resumable, unique } from "./watch-guarantees.ts"
import { truthOf } from "./watch-record.ts"

const NAMES = ["one", "two", "three"]
const peer = (at: number) => `http://127.0.0.1:${2380 + 10 * at}`
const client = (at: number) => `http://127.0.0.1:${2379 + 10 * at}`

let place: Workplace
let machine: Machine
let processes: Spawned[]
let forwards: Forward[]
let members: EtcdMember[]

function start(at: number): Promise<Spawned> {
  return machine.spawn(
    [
      "etcd",
      `--name=${NAMES[at]}`,
      `--data-dir=/var/lib/etcd-${at}`,
      `--listen-client-urls=${client(at)}`,
      `--advertise-client-urls=${client(at)}`,
      `--listen-peer-urls=${peer(at)}`,
      `--initial-advertise-peer-urls=${peer(at)}`,
      `--initial-cluster=${NAMES.map((name, number) => `${name}=${peer(number)}`).join(",")}`,
      "--heartbeat-interval=50",
      "--election-timeout=500",
    ],
    { log: `/var/log/etcd-${at}.log` },
  )
}

beforeAll(async () => {
  place = await workplace()
  const { binds } = await artifacts(["etcd", "porcupine"])
  machine = (await startSandbox({ name: place.name, binds, settings: place.settings })).machine
  processes = await Promise.all(NAMES.map((_, at) => start(at)))
  forwards = await Promise.all(NAMES.map((_, at) => machine.forward(2379 + 10 * at)))
  members = forwards.map(({ address }, at) => new EtcdMember(NAMES[at] ?? "", address))
  await vi.waitFor(() => members[0]?.write("/first", "1"), { timeout: 30_000 })
}, 600_000)
afterAll(async () => {
  for (const member of members) member[Symbol.dispose]()
  await Promise.all(forwards.map((forward) => forward[Symbol.asyncDispose]()))
  await machine.close()
  await place[Symbol.asyncDispose]()
})

test("a member lists all members, and says of itself which one leads and how far its store is", async () => {
  const statuses = await Promise.all(members.map((member) => member.status()))
  const listed = await members[1]?.members()
  expect(listed?.map(({ name }) => name)).toEqual(NAMES.toSorted())
  expect(new Set(listed?.map(({ id }) => id))).toEqual(new Set(statuses.map(({ id }) => id)))
  expect(listed?.map(({ id }) => id)).toContain(statuses[0]?.leader)
  expect(new Set(statuses.map(({ clusterId, leader, term }) => `${clusterId} ${leader} ${term}`)).size).toBe(1)
})

test("a write changes two keys in one revision, and all members have the same hash of it", async () => {
  const [one, two, three] = members as [EtcdMember, EtcdMember, EtcdMember]
  const revision = await one.write("/written", "value")
  expect(await Promise.all(["/written", traceOf("/written", "value")].map((key) => two.read(key)))).toEqual([
    "value",
    "value",
  ])
  expect(await three.read("/written", "serializable")).toBe("value")
  const hashes = await Promise.all(members.map((member) => member.hash(revision)))
  expect(hashes).toEqual(hashes.map(() => hashes[0]))
  await one.write("/written", "other")
  expect((await one.hash()).hash).not.toBe(hashes[0]?.hash)
})

test("a watch from a revision that was compacted is refused with that word", async () => {
  await machine.run(["sh", "-c", `etcdctl compact $(etcdctl get / -w fields | grep -oP '"Revision" : \\K\\d+')`])
  const watch = await members[0]?.watch("/", 1, () => undefined)
  expect(await watch?.ended).toContain("compacted up to")
})

test("while a member dies and comes back, the history is linearizable and the watches keep their guarantees", async () => {
  const from = (await members[0]!.status()).revision + 1
  const clients = steadyClients({ members: () => members, keys: ["/steady/a", "/steady/b"], rate: 20, nonce: "n" })
  const watchers = members.map((_, at) =>
    watcher({
      name: `watch ${NAMES[at]}`,
      members: () => [...members.slice(at), ...members.slice(0, at)],
      prefix: "/steady/",
      from,
    }),
  )
  const writes = async (count: number) => {
    const before = acknowledged(clients.history).length
    await expect.poll(() => acknowledged(clients.history).length - before, { timeout: 30_000 }).toBeGreaterThan(count)
  }
  await writes(20)
  await machine.run(["kill", "-KILL", String(processes[0]?.pid)])
  await writes(20)
  processes[0] = await start(0)
  await expect.poll(() => members[0]?.read("/first").catch(() => ""), { timeout: 30_000 }).toBe("1")
  await writes(20)
  const history = await clients.stop()
  const { revision } = await members[0]!.status()
  for (const one of watchers)
    await expect.poll(() => one.revision, { timeout: 30_000 }).toBeGreaterThanOrEqual(revision)
  const records = await Promise.all(watchers.map((one) => one.stop()))

  expect(await judge(machine, history, "/tmp/history.html")).toMatchObject({ verdict: "linearizable", keys: 2 })
  const written = acknowledged(history).flatMap(({ key, value = "", revision: at = 0 }) =>
    [key, traceOf(key, value)].map((one) => ({ key: one, value, revision: at, kind: "put" as const })),
  )
  const truth = truthOf(written, records)
  expect(truth.size).toBeGreaterThan(60)
  expect(await members[1]?.keys("/steady/")).toEqual(
    expect.arrayContaining(acknowledged(history).map(({ key, value = "" }) => traceOf(key, value))),
  )
  const guarantees = [ordered, unique, reliable, atomic, resumable, bookmarkable]
  expect(records.flatMap((record) => guarantees.flatMap((guarantee) => guarantee(record, truth)))).toEqual([])
  expect(Math.min(...records.map(promisesOf))).toBeGreaterThan(0)
  expect(Math.max(...records.map(({ streams }) => streams.length))).toBeGreaterThan(1)
}, 120_000)

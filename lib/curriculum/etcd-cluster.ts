import { EtcdMember, type MemberStatus } from "../clients/etcd-member.ts"
import { readTls } from "../clients/etcd-connection.ts"
import type { Part } from "../clusters/part.ts"
import { etcdTls } from "../components/etcd.ts"
import type { Address } from "../components/settings/address.ts"
import type { Machine } from "../machines/machine.ts"
import { MACHINES, type Link } from "../machines/network.ts"
import type { Kit } from "./kit.ts"
import { until } from "./until.ts"

/** The machines on which further members run. */
const FURTHER = ["etcd-2", "etcd-3"] as const

/** A member of etcd's cluster, with the machine on which it runs. */
export interface Member {
  /** The name of its machine. */
  readonly name: string
  /** The kit of its machine. */
  readonly kit: Kit
  readonly etcd: Part<"etcd">
  /** Asks this member, and no other. */
  readonly client: EtcdMember
  /**
   * The same, but it gives up after two or three seconds: for clients that turn to another member, and for requests
   * that must fail.
   */
  readonly hasty: EtcdMember
  readonly link: Link
}

type Clients = Pick<Member, "client" | "hasty">

/** Milliseconds that a hasty client waits for an answer. */
const HASTY = 2_500

/** The clients of the lesson, by machine. Each lasts until the lesson ends. */
const clients = new WeakMap<Machine, Clients>()

/** The member on this machine; its etcd need not run yet. */
export async function memberOn(first: Kit, name: string): Promise<Member> {
  const kit = name === first.machine.name ? first : await first.on(name)
  return { name, kit, etcd: kit.part("etcd") as Part<"etcd">, link: kit.link(name), ...(await clientsOf(first, kit)) }
}

/** The three members, that of the first machine first. */
export function membersOf(first: Kit): Promise<[Member, Member, Member]> {
  const [second, third] = FURTHER
  return Promise.all([memberOn(first, first.machine.name), memberOn(first, second), memberOn(first, third)])
}

/** The clients of a member, which last until the lesson ends. */
async function clientsOf(first: Kit, kit: Kit): Promise<Clients> {
  const known = clients.get(kit.machine)
  if (known !== undefined) return known
  const { address, advertisedClientUrls } = (kit.part("etcd") as Part<"etcd">).settings
  // Its certificate has the address that it tells its clients.
  const host = new URL(advertisedClientUrls[0] ?? `https://${address.host}`).hostname
  const patient = await clientFor(first, kit.machine, address, host)
  const hasty = await clientFor(first, kit.machine, address, host, HASTY)
  const both = { client: patient.client, hasty: hasty.client }
  clients.set(kit.machine, both)
  first.onLessonEnd(async () => {
    clients.delete(kit.machine)
    await Promise.all([patient.close(), hasty.close()])
  })
  return both
}

/** A client of another etcd on the first machine. It lasts until the outcome ends. */
export async function clientAt(first: Kit, port: number): Promise<EtcdMember> {
  const host = "127.0.0.1"
  const { client, close } = await clientFor(first, first.machine, { host, port }, host, HASTY)
  first.onCleanup(close)
  return client
}

/** A client with the certificate of kube-apiserver. Each member accepts that one. */
async function clientFor(
  first: Kit,
  machine: Machine,
  { host, port }: Address,
  serverName: string,
  within?: number,
): Promise<{ client: EtcdMember; close: () => Promise<void> }> {
  const own = (first.part("etcd") as Part<"etcd">).settings
  const apiserver = (first.part("kube-apiserver") as Part<"kube-apiserver">).settings
  const files = etcdTls(own, { apiserver })
  const forward = await machine.forward(port, host)
  const tls = files === undefined ? undefined : { ...(await readTls(first.machine, files)), host: serverName }
  const client = new EtcdMember(machine.name, forward.address, tls, within)
  return {
    client,
    close: async () => {
      client[Symbol.dispose]()
      await forward[Symbol.asyncDispose]()
    },
  }
}

/** The statuses of the members that answer. */
async function statusesOf(members: readonly Member[]): Promise<{ member: Member; status: MemberStatus }[]> {
  const answers = await Promise.allSettled(members.map(({ hasty }) => hasty.status()))
  return members.flatMap((member, at) => {
    const answer = answers[at]
    return answer?.status === "fulfilled" ? [{ member, status: answer.value }] : []
  })
}

/** The roles of members. */
export interface Roles {
  readonly leader: Member
  /** A follower, and another one if there is one. */
  readonly follower: Member
  readonly other: Member
  /** A follower that does not run on the first machine. */
  readonly remote: Member
}

/** The leader and the followers, once all of these members agree on one of them. */
export function rolesOf(members: readonly Member[]): Promise<Roles> {
  return until(async () => {
    const found = await statusesOf(members)
    const leaders = new Set(found.map(({ status }) => `${status.leader} ${status.term}`))
    const leader = found.find(({ status }) => status.id === status.leader)?.member
    if (found.length < members.length || leaders.size > 1 || leader === undefined)
      throw new Error(`etcd's members do not agree on a leader: ${found.map(({ status }) => status.leader).join(", ")}`)
    const followers = members.filter((one) => one !== leader)
    const [follower = leader, other = follower] = followers
    return { leader, follower, other, remote: followers.find(({ name }) => name in MACHINES) ?? other }
  })
}

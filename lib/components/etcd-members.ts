import { dirname } from "node:path/posix"
import { quote } from "../base/shell.ts"
import { ADDRESS, MACHINES, SHARED, type MachineName } from "../machines/network.ts"
import { memberCommands, memberPair, pkiScript, secured } from "../pki/pki.ts"
import { shellLine, type Component, type Completion } from "./component.ts"
import { ETCD_PORT } from "./etcd.ts"
import { having } from "./secured.ts"
import type { ClusterFacts } from "./spec.ts"

/** A member of etcd's cluster. */
export interface EtcdMemberPlan {
  readonly name: string
  readonly address: string
}

/** A member on a machine of its own, which has the member's name. */
export interface JoiningMember extends EtcdMemberPlan {
  readonly name: MachineName
}

const FIRST: EtcdMemberPlan = { name: "etcd-1", address: ADDRESS }

/** The members: the first is etcd of the lessons before, the others join it, each on a machine of its own. */
export const etcdMembers: readonly [EtcdMemberPlan, JoiningMember, JoiningMember] = [
  FIRST,
  { name: "etcd-2", address: MACHINES["etcd-2"] },
  { name: "etcd-3", address: MACHINES["etcd-3"] },
]

/** The folder in which the first machine leaves the certificates for the other members. */
const HANDED_OVER = `${SHARED}/etcd`

const PKI = dirname(secured.etcd.ca.certificate)

export const peerUrl = ({ address }: EtcdMemberPlan) => `https://${address}:2380`
export const clientUrl = ({ address }: EtcdMemberPlan) => `https://${address}:${ETCD_PORT}`

/** The environment with which etcdctl asks the first member, on the machine of a member. */
export function askingFirst({ name }: EtcdMemberPlan): Record<string, string> {
  const { certificate, key } = memberPair(name)
  return {
    ETCDCTL_ENDPOINTS: clientUrl(FIRST),
    ETCDCTL_CACERT: secured.etcd.ca.certificate,
    ETCDCTL_CERT: certificate,
    ETCDCTL_KEY: key,
  }
}

/** Shell lines that leave the certificates of the other members in the folder that all machines share. */
export function handOver(): string[] {
  const others = etcdMembers.slice(1).flatMap(({ name }) => Object.values(memberPair(name)))
  return [`mkdir -p ${HANDED_OVER}`, `cp ${[secured.etcd.ca.certificate, ...others].join(" ")} ${HANDED_OVER}/`]
}

/** Shell lines that take the certificates of a member from that folder. */
export function takeOver({ name }: EtcdMemberPlan): string[] {
  // On another machine the same may be typed at the same time. The last file to be copied is this one.
  const last = memberPair(etcdMembers.at(-1)?.name ?? "").key.replace(PKI, HANDED_OVER)
  return [
    `until [ -e ${last} ]; do sleep 0.2; done`,
    `mkdir -p ${PKI}`,
    `cp ${HANDED_OVER}/ca.crt ${HANDED_OVER}/${name}.crt ${HANDED_OVER}/${name}.key ${PKI}/`,
  ]
}

/**
 * A shell command that adds a member as a learner: it gets all data before it votes, so that the others need no vote of
 * a member that does not run yet. etcd refuses it for the first five seconds after another member has joined.
 */
export function addMember(member: EtcdMemberPlan): string {
  return `etcdctl member add ${member.name} --learner --peer-urls=${peerUrl(member)}`
}

/** A shell command that makes a learner a voting member. etcd refuses it until the learner has the data. */
export function promoteMember(member: EtcdMemberPlan): string {
  return `etcdctl member promote "$(etcdctl member list | grep ${peerUrl(member)} | cut -d, -f1)"`
}

/** A shell command that changes the address at which the others reach the first member. */
export const MOVE_FIRST = `etcdctl member update "$(etcdctl member list | head -n 1 | cut -d, -f1)" --peer-urls=${peerUrl(FIRST)}`

/** A line that asks the first member, on the machine of a member. etcd can refuse it for some seconds. */
function line(member: EtcdMemberPlan, text: string, problem: string): Completion {
  return shellLine(text, problem, askingFirst(member), 60)
}

/** A command again and again until it succeeds, quietly. */
const again = (command: string) => `until ${command} >/dev/null 2>&1; do sleep 0.1; done`

/** etcd as a member of the cluster of three. */
export function asMember(component: Component, member: EtcdMemberPlan): Component {
  const { certificate, key } = memberPair(member.name)
  const at = etcdMembers.indexOf(member)
  const changed = having(component, [
    { flag: "--name", value: member.name },
    { flag: "--listen-client-urls", value: `https://127.0.0.1:${ETCD_PORT},${clientUrl(member)}` },
    { flag: "--advertise-client-urls", value: clientUrl(member) },
    { flag: "--cert-file", value: certificate },
    { flag: "--key-file", value: key },
    { flag: "--listen-peer-urls", value: peerUrl(member) },
    { flag: "--initial-advertise-peer-urls", value: peerUrl(member) },
    {
      flag: "--initial-cluster",
      value: etcdMembers
        .slice(0, at + 1)
        .map((one) => `${one.name}=${peerUrl(one)}`)
        .join(","),
      why: "the members from which a new member gets its data",
    },
    ...(at === 0
      ? []
      : [{ flag: "--initial-cluster-state", value: "existing", why: "it joins, with an empty folder" }]),
    { flag: "--peer-cert-file", value: certificate },
    { flag: "--peer-key-file", value: key },
    { flag: "--heartbeat-interval", value: "100", why: "the default: between machines a heartbeat takes longer" },
    {
      flag: "--election-timeout",
      value: "1000",
      why: "the default: after a second without a heartbeat, a follower wants to lead",
    },
  ])
  return at === 0 ? first(changed) : joining(changed, member)
}

function first(component: Component): Component {
  const move = `etcdctl member list | grep -q "${peerUrl(FIRST)}" || ${MOVE_FIRST}`
  return {
    ...component,
    preparation: [line(FIRST, pkiScript(memberCommands(etcdMembers)), "the members' certificates were not made")],
    completion: [line(FIRST, move, "the address of the first member could not be changed")],
  }
}

function joining(component: Component, member: EtcdMemberPlan): Component {
  const dataDir = component.flags.find(({ flag }) => flag === "--data-dir")?.value ?? ""
  const listed = `etcdctl member list | grep ${peerUrl(member)}`
  const add = `[ -e ${dataDir}/member ] || ${listed} >/dev/null || ${again(addMember(member))}`
  const promote = `if ${listed} | grep -q 'true$'; then ${again(promoteMember(member))}; fi`
  return {
    ...component,
    preparation: [line(member, add, `${member.name} could not be added to the cluster`)],
    completion: [line(member, promote, `${member.name} could not be made a voting member`)],
  }
}

const SERVERS = [`https://127.0.0.1:${ETCD_PORT}`, ...etcdMembers.slice(1).map(clientUrl)].join(",")
/** The flag with which kube-apiserver uses all members: if one does not answer, another one does. */
export const ETCD_SERVERS = `--etcd-servers=${SERVERS}`

/** How components of our own cluster differ from the lesson about etcd's cluster on. */
export const withMembers = {
  etcd: (component: Component, { nodeIp }: ClusterFacts): Component =>
    asMember(component, etcdMembers.find(({ address }) => address === nodeIp) ?? FIRST),
  "kube-apiserver": (component: Component): Component =>
    having(component, [{ flag: "--etcd-servers", value: SERVERS }]),
} as const

/** A shell line that sets the environment of etcdctl. */
export function exported(environment: Readonly<Record<string, string>>): string {
  return `export ${Object.entries(environment)
    .map(([name, value]) => `${name}=${quote([value])}`)
    .join(" ")}`
}

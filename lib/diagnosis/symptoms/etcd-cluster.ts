import { portOf } from "../../clients/sockets.ts"
import { addressOf, apiserverSettingsOf, dataDirOf, logPathOf } from "../facts.ts"
import { membersOf, type ObservedMember } from "../members.ts"
import type { Observation } from "../observation.ts"
import {
  AT_ONCE,
  SOON,
  componentOf,
  first,
  flagOf,
  holds,
  isUnwell,
  logged,
  matched,
  mismatchOf,
  said,
  symptom,
  type Symptom,
} from "../symptom.ts"

const LIST = "etcdctl member list -w table"
/** Lasting: etcd promotes a learner only when it has all data. */
const UNTIL_IT_HAS_THE_DATA = 15_000
/** Lasting: after a few failures in vain, kube-apiserver tries to connect every few seconds only. */
const UNTIL_IT_TRIES_AGAIN = 15_000

/** Problems of a member of a cluster of several, the most specific first. */
export const etcdCluster: readonly Symptom[] = [
  symptom({
    id: "peer-certificate-refused",
    component: "etcd",
    sign: (seen) =>
      logged(
        "etcd",
        /"msg":"failed to get cluster response","address":"(https:\/\/[^"/]+)\/members","error":"Get \\"[^"]*": ((?:remote error: )?tls: [^"]*)"/,
        "address",
        "reason",
      )(seen),
    cause: ({ address, reason }) =>
      `the member at ${address} and this one do not accept each other's certificates: ${reason}`,
    remedy: (_, seen) =>
      `One CA must have signed the certificates of all members: --peer-cert-file (${flagOf(componentOf(seen, "etcd"), "--peer-cert-file") ?? "not set"}) for the other one, --peer-trusted-ca-file (${flagOf(componentOf(seen, "etcd"), "--peer-trusted-ca-file") ?? "not set"}) for this one.`,
    look: (_, seen) =>
      `openssl verify -CAfile ${flagOf(componentOf(seen, "etcd"), "--peer-trusted-ca-file") ?? "CA"} ${flagOf(componentOf(seen, "etcd"), "--peer-cert-file") ?? "CERTIFICATE"}`,
  }),
  symptom({
    id: "member-on-loopback",
    component: "etcd",
    lasting: AT_ONCE,
    sign: (seen) =>
      logged(
        "etcd",
        /error validating peerURLs .*?PeerURLs:\[(https?:\/\/(?:localhost|127\.0\.0\.1):\d+)\][^{}]*\}[^{}]*\{Name:([\w.-]+)/,
        "address",
        "member",
      )(seen),
    cause: ({ address, member }) =>
      `the cluster knows its member ${member} at ${address}, which leads every other machine to itself, and the --initial-cluster of this member names another address`,
    remedy: ({ member }, seen) =>
      `Tell the cluster the address before this member is added: etcdctl member update ID --peer-urls=URL, with the ID of ${member} and its URL in --initial-cluster (${flagOf(componentOf(seen, "etcd"), "--initial-cluster") ?? "not set"}). A changed flag does not change what is in etcd's data.`,
    look: LIST,
  }),
  symptom({
    id: "etcd-without-data",
    component: "etcd",
    sign: (seen) => {
      const argv = componentOf(seen, "etcd")?.argv ?? []
      const [, command = ""] = argv
      return command === "gateway" || command === "grpc-proxy" ? { evidence: argv.join(" "), command } : undefined
    },
    cause: ({ command }) =>
      `etcd ${command} has neither data nor a vote: it sends what it is asked to another etcd, so this machine has no member`,
    remedy: "Start a member: etcd with a --name and a --data-dir of its own, and with --initial-cluster.",
    look: `ps -ef; ${LIST}`,
  }),
  symptom({
    id: "member-removed",
    component: "etcd",
    lasting: AT_ONCE,
    sign: (seen) => {
      const shown = logged(
        "etcd",
        /"msg":"server error","error":"the member has been permanently removed from the cluster"/,
      )(seen)
      return shown && { ...shown, dataDir: dataDirOf(seen) }
    },
    cause: ({ dataDir }) =>
      `the other members have removed this one from the cluster, so etcd ends, and so does each later etcd with the data in ${dataDir}`,
    remedy: ({ dataDir }, seen) => {
      const [name, url] = ["--name", "--initial-advertise-peer-urls"].map((flag) =>
        flagOf(componentOf(seen, "etcd"), flag),
      )
      return `Remove ${dataDir}/member. Add a new member at one that runs: etcdctl member add ${name ?? "NAME"} --learner --peer-urls=${url ?? "URL"}. Then start etcd with --initial-cluster-state=existing.`
    },
    look: (_, seen) => `grep 'permanently removed' ${logPathOf(seen, "etcd")}; ${LIST}`,
  }),
  notPromoted("etcd has no leader, and", hasNoLeader),
  symptom({
    id: "member-not-started",
    component: "etcd",
    lasting: (seen) => (isDeserted(seen, ghostIn(seen)) ? SOON : undefined),
    sign: (seen) => {
      const ghost = hasNoLeader(seen) ? ghostIn(seen) : undefined
      return (
        ghost && {
          evidence: ghost.line,
          id: ghost.id,
          url: ghost.peerUrls.join(","),
          voters: String(votersIn(seen).length),
        }
      )
    },
    cause: ({ id, url, voters }) =>
      `etcd has no leader: member ${id} (${url}) was added to the cluster and has never been started, and no majority of the ${voters} members answers`,
    remedy: ({ url }) =>
      `Start etcd at ${url}, with an empty data folder and --initial-cluster-state=existing. A member that is added with --learner does not count before it has the data.`,
    look: `${LIST} --consistency=s`,
  }),
  symptom({
    id: "member-not-started",
    component: "etcd",
    lasting: SOON,
    sign: (seen) => {
      const refused = said(/too many learner members in cluster/)(seen)
      const ghost = membersOf(seen).find((one) => one.isLearner && !hasStarted(one))
      return refused && ghost && { evidence: ghost.line, id: ghost.id, url: ghost.peerUrls.join(",") }
    },
    cause: ({ id, url }) =>
      `etcd accepts one learner at a time, and member ${id} (${url}) was added as a learner and has never been started`,
    remedy: ({ id, url }) => `etcdctl member remove ${id}, or start etcd at ${url} and promote it.`,
    look: LIST,
  }),
]

/** Problems of a cluster of several members that is well, where no row of a component explains a failure. */
export const etcdMembers: readonly Symptom[] = [
  symptom({
    id: "etcd-servers-incomplete",
    component: "kube-apiserver",
    lasting: SOON,
    sign: (seen) => {
      const servers = apiserverSettingsOf(seen).etcdServers
      const members = membersOf(seen).filter(hasStarted)
      const { expected, actual } = mismatchOf(seen) ?? {}
      return expected !== members.length || actual !== servers.length || servers.length >= members.length
        ? undefined
        : {
            evidence: `--etcd-servers=${servers.join(",")}; etcdctl member list: ${members.map(({ name }) => name).join(", ")}`,
            known: String(servers.length),
            all: String(members.length),
            urls: members.flatMap(({ clientUrls }) => clientUrls.slice(0, 1)).join(","),
          }
    },
    cause: ({ known, all }) =>
      `--etcd-servers names ${known} of etcd's ${all} members: without ${known === "1" ? "that one" : "those"}, kube-apiserver cannot use etcd, although the others go on`,
    remedy: ({ urls }) => `--etcd-servers=${urls}`,
    look: `ps -o args= -C kube-apiserver; ${LIST}`,
  }),
  symptom({
    id: "etcd-unreachable",
    component: "kube-apiserver",
    lasting: UNTIL_IT_TRIES_AGAIN,
    sign: (seen) => {
      const servers = apiserverSettingsOf(seen).etcdServers.map(addressOf)
      const { expected, actual } = mismatchOf(seen) ?? {}
      const isOneMissing = expected === servers.length && typeof actual === "number" && actual < servers.length
      return isOneMissing ? first(servers, (address) => notReached(seen, address)) : undefined
    },
    cause: ({ address, reason }) => `kube-apiserver cannot connect to etcd's member at ${address}: ${reason}`,
    remedy: ({ address }) =>
      `That etcd must listen on ${address}, and neither routes nor a firewall may keep kube-apiserver from it.`,
    look: ({ address }) =>
      `ip rule; ip route; nft list ruleset; etcdctl endpoint health --endpoints=https://${address}`,
  }),
  notPromoted("etcd is well, but", isAboutVoters, UNTIL_IT_HAS_THE_DATA),
]

/** Whether etcd answers that it has no leader. */
function hasNoLeader(seen: Observation): boolean {
  const one = componentOf(seen, "etcd")
  return one !== undefined && isUnwell(one) && /NO LEADER/.test(one.answer?.text ?? "")
}

function hasStarted({ name }: ObservedMember): boolean {
  return name !== ""
}

function votersIn(seen: Observation): ObservedMember[] {
  return membersOf(seen).filter(({ isLearner }) => !isLearner)
}

/** Why kube-apiserver has no connection to an address of etcd, in its own words; undefined if it has one. */
function notReached(seen: Observation, address: string) {
  const one = componentOf(seen, "kube-apiserver")
  if (seen.connections.some(({ pid, peer }) => pid === one?.pid && peer === address)) return undefined
  const tries = (one?.log ?? []).filter((line) => line.includes(`dial tcp ${address}: `))
  const shown = matched(tries.toReversed(), /dial tcp \S+: ([^"]+)/, "reason")
  return shown && { ...shown, address }
}

/** Whether the failure is that the voting members are not the expected ones. */
function isAboutVoters(seen: Observation): boolean {
  return votersIn(seen).some(({ id }) => holds(mismatchOf(seen)?.actual, id))
}

/** A voting member that was added and has never run. */
function ghostIn(seen: Observation): ObservedMember | undefined {
  return votersIn(seen).find((one) => !hasStarted(one))
}

/** Whether a member must run on this machine, and no process listens there. */
function isDeserted({ listeners }: Observation, member: ObservedMember | undefined): boolean {
  const [url = ""] = member?.peerUrls ?? []
  const address = addressOf(url)
  return /^(?:127\.|localhost:)/.test(address) && !listeners.some(({ local }) => portOf(local) === portOf(address))
}

/**
 * A member that runs and has no vote.
 * @param state how etcd is, as the beginning of the cause
 * @param explains whether that can be the problem
 */
function notPromoted(state: string, explains: (seen: Observation) => boolean, lasting?: number): Symptom {
  return symptom({
    id: "learner-not-promoted",
    component: "etcd",
    ...(lasting === undefined ? {} : { lasting }),
    sign: (seen) => {
      const learner = membersOf(seen).find((one) => one.isLearner && hasStarted(one))
      if (learner === undefined || !explains(seen)) return undefined
      const voters = votersIn(seen).map(({ id, name }) => name || id)
      return { evidence: learner.line, id: learner.id, name: learner.name, voters: voters.join(", ") }
    },
    cause: ({ id, name, voters }) =>
      `${state} ${name} (${id}) is still a learner: it has the data and no vote, so only the voting members count (${voters})`,
    remedy: ({ id }) => `etcdctl member promote ${id}. etcd refuses it until the learner has all data.`,
    look: LIST,
  })
}

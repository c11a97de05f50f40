import type { ListedMember } from "../clients/etcd-member.ts"
import { etcdctlEnvironment } from "../components/etcd.ts"
import { exported } from "../components/etcd-members.ts"
import { settingsOf } from "../components/registry.ts"
import { knownFiles } from "../components/settings/files.ts"
import { remembered } from "./facts.ts"
import type { Observation } from "./observation.ts"
import { componentOf } from "./symptom.ts"

/** A member of etcd's cluster, as etcdctl lists it. Its name is "" if it was added and has never run. */
export interface ObservedMember extends ListedMember {
  /** What etcdctl prints of it. */
  readonly line: string
}

/** A line of `etcdctl member list`: ID, status, name, peer URLs, client URLs, whether it is a learner. */
const LINE = /^([0-9a-f]+), (?:started|unstarted), (.*), (\S*), (\S*), (true|false)$/

/**
 * The commands that show the members of etcd's cluster, with the credentials of the cluster. It asks etcd of this
 * machine. etcd answers from its own data (--consistency=s), so that it answers without a quorum too.
 * @returns one command; none if etcd does not run on this machine
 */
export function memberLists(seen: Pick<Observation, "components" | "files">): string[] {
  const [etcd, apiserver] = (["etcd", "kube-apiserver"] as const).map((name) => componentOf(seen, name))
  if (etcd?.state !== "running") return []
  const files = knownFiles(seen.files)
  const peers = apiserver === undefined ? {} : { apiserver: settingsOf("kube-apiserver", apiserver, files) }
  return [`${exported(etcdctlEnvironment(settingsOf("etcd", etcd, files), peers))}; ${ASK}`]
}

const ASK = "etcdctl member list --consistency=s --dial-timeout=1s --command-timeout=1s"

/**
 * The members of etcd's cluster, by name. None if etcd does not run on this machine, or gives no list: a learner gives
 * none.
 */
export const membersOf = remembered((seen): readonly ObservedMember[] => {
  const lines = memberLists(seen).flatMap((command) => (seen.looks[command] ?? "").split("\n"))
  const members = lines.flatMap((line) => {
    const [, id, name, peers, clients, learner] = LINE.exec(line) ?? []
    return id === undefined || name === undefined
      ? []
      : [{ id, name, peerUrls: urlsIn(peers), clientUrls: urlsIn(clients), isLearner: learner === "true", line }]
  })
  return members.toSorted((one, other) => one.name.localeCompare(other.name)) // etcd sorts by id, which is random.
})

function urlsIn(text = ""): string[] {
  return text.split(",").filter((url) => url !== "")
}

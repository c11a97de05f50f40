import type { LessonSpec } from "../lesson-spec.ts"
import type { Hand } from "../transcript/hand.ts"
import { reference } from "../transcript/reference.ts"
import { madeOnce } from "../transcript/bash.ts"
import {
  addMember,
  askingFirst,
  asMember,
  ETCD_SERVERS,
  etcdMembers,
  exported,
  handOver,
  MOVE_FIRST,
  promoteMember,
  takeOver,
  withMembers,
  type JoiningMember,
} from "../../components/etcd-members.ts"
import { ETCD_PORT } from "../../components/etcd.ts"
import { withPki } from "../../components/secured.ts"
import { addressIn } from "../../components/settings/address.ts"
import { managed } from "./09-controller-manager.ts"
import { memberCommands, memberPair } from "../../pki/pki.ts"

const [first, ...others] = etcdMembers
const secured = withPki.etcd(reference.etcd)

/** The lines of the script that adds a member, on the machine of that member. */
function joins(member: JoiningMember, { start }: Hand): readonly string[] {
  const again = (command: string) => `until ${command}; do sleep 0.2; done`
  return [
    "# The first machine has left the certificates in the folder that all machines share.",
    ...takeOver(member),
    exported(askingFirst(member)),
    "# As a learner it gets all data before it votes. etcd refuses a new member until the last one has run for five seconds.",
    again(addMember(member)),
    start(asMember(secured, member)),
    again(promoteMember(member)),
  ]
}

const parts: LessonSpec["parts"] = [
  {
    script: "11-etcd",
    write:
      "certificates for three members of etcd, and the commands that start etcd and kube-apiserver again with them",
    lines: ({ start, kill, restart }) => [
      ...madeOnce(memberPair(first.name).certificate, memberCommands(etcdMembers)),
      ...handOver(),
      "# etcd with an address that the other machines reach, and its data as before.",
      kill([reference.etcd]),
      start(asMember(secured, first)),
      exported(askingFirst(first)),
      MOVE_FIRST,
      "# kube-apiserver with the flags that it has, and with all three members.",
      restart(managed.apiserver, ETCD_SERVERS),
    ],
  },
  ...others.map((member) => ({
    script: `11-etcd@${member.name}`,
    write: `the commands that add the member ${member.name}, start its etcd and let it vote; it runs on that machine`,
    on: member.name,
    lines: (hand: Hand) => joins(member, hand),
  })),
]

const ASK_EACH = "etcdctl endpoint status --cluster -w table"

/** Lesson 11. */
export const etcdCluster = {
  number: 11,
  slug: "etcd-cluster",
  title: "an etcd cluster of three: it outlives its members",
  row: {
    topic: "an etcd cluster of three",
    proves:
      "no acknowledged write is lost while members die, links are cut, disks fill up and members are replaced; clients' history is linearizable",
  },
  components: ["etcd", "kube-apiserver"],
  machines: { "etcd-2": ["etcd"], "etcd-3": ["etcd"] },
  extras: ["porcupine"],
  settings: withMembers,
  // Three members on one machine are a correct choice, but not this lesson's.
  isThere: (subject) => {
    const servers = subject.part("kube-apiserver").settings.etcdServers
    return new Set(servers.map((url) => addressIn(url, ETCD_PORT).host)).size === 3
  },
  parts,
  outcomes: {
    "two members join one at a time, and no write is lost": {
      see: "etcdctl member add etcd-2 --learner --peer-urls=https://10.77.0.4:2380; etcdctl member promote ID; etcdctl member list -w table",
      permits: "restart",
      machines: {}, // The test starts them.
    },
    "kube-apiserver uses all three members, and each of them has its objects": {
      see: "ss -tnp | grep kube-apiserver; etcdctl get /registry/namespaces/default --endpoints=https://10.77.0.5:2379 --consistency=s",
      permits: "restart",
    },
    "a follower dies: writes go on, and it catches up when it is back": {
      see: `pkill -KILL etcd; ${ASK_EACH}`,
      permits: "restart",
    },
    "the leader dies: another member is elected, and writes go on": {
      see: `pkill -KILL etcd; ${ASK_EACH}`,
      permits: "restart",
    },
    "two members die: no write and no linearizable read succeeds; serializable reads answer, and are stale": {
      see: "etcdctl put /two lost; etcdctl get /two; etcdctl get /two --consistency=s",
      permits: "restart",
    },
    "when they are back, nothing is lost: revisions and hashes are equal at all members": {
      see: "etcdctl endpoint hashkv --cluster -w table",
      permits: "restart",
    },
    "a leader behind a cut link steps down: what is written there is never acknowledged": {
      see: `ip link set eth0 down; ${ASK_EACH}`,
      permits: "restart",
    },
    "a slow member does not slow the others": {
      see: `tc qdisc add dev eth0 root tbf rate 64kbit burst 4kb latency 2s; ${ASK_EACH}`,
      permits: "restart",
    },
    "a member whose disk is full ends, and the others go on": {
      see: "df -h /var/lib/etcd; tail /var/log/byhand/etcd.log",
      permits: "restart",
    },
    "a removed member cannot come back with its data; a new one takes its place": {
      see: "etcdctl member remove ID; rm -r /var/lib/etcd/member; etcdctl member add etcd-3 --learner --peer-urls=https://10.77.0.5:2380",
      permits: "restart",
    },
    "compaction ends old revisions, and defragmentation gives their space back": {
      see: "etcdctl compact REVISION; etcdctl defrag --cluster; etcdctl endpoint status --cluster -w table",
      permits: "restart",
    },
    "a member over its quota raises the alarm NOSPACE: no member accepts writes, until the alarm is cleared": {
      see: "etcdctl alarm list; etcdctl compact REVISION; etcdctl defrag --cluster; etcdctl alarm disarm",
      permits: "restart",
    },
    "watches are ordered: changes come in the order of their revisions": {
      see: "etcdctl watch /steady/ --prefix -w json",
      permits: "restart",
    },
    "watches are unique: no change comes twice": {
      see: "etcdctl watch /steady/ --prefix -w json",
      permits: "restart",
    },
    "watches are reliable: no change is missing, and each has the value that was written": {
      see: "etcdctl watch /steady/ --prefix -w json",
      permits: "restart",
    },
    "watches are atomic: the changes of one revision come together": {
      see: "etcdctl watch /steady/ --prefix -w json",
      permits: "restart",
    },
    "watches are resumable: a watch that breaks goes on after the last change that it has seen": {
      see: "etcdctl watch /steady/ --prefix --rev=REVISION -w json",
      permits: "restart",
    },
    "watches are bookmarkable: a progress notification comes after all changes up to its revision": {
      see: "etcdctl watch /steady/ --prefix --progress-notify -w json",
      permits: "restart",
    },
    "the history of all clients is linearizable": {
      see: "porcupine history.html <history.jsonl",
      permits: "restart",
    },
    "every acknowledged write can be read back": {
      see: "etcdctl get /steady/ --prefix --keys-only",
      permits: "restart",
    },
    "the check can fail: with serializable reads, a cut link makes a history that is not linearizable": {
      see: "etcdctl get /stale --consistency=s --endpoints=https://10.77.0.5:2379",
      permits: "restart",
    },
    "the check can fail: with --unsafe-no-fsync, a power failure takes acknowledged writes": {
      see: "etcd --unsafe-no-fsync …; curl https://127.0.0.1:12379/metrics | grep etcd_disk_wal_fsync_duration_seconds_count",
      permits: "restart",
    },
    "a snapshot becomes three new members: revisions go on above the old ones, and watches notice": {
      see: "etcdctl snapshot save snap.db; etcdutl snapshot restore snap.db --bump-revision=1000000 --mark-compacted …; etcdctl watch /registry/ --prefix --rev=OLD",
      permits: "destroy",
    },
  },
} satisfies LessonSpec

import { ETCD_PORT } from "../../components/etcd.ts"
import { askingFirst, clientUrl, etcdMembers, exported, type EtcdMemberPlan } from "../../components/etcd-members.ts"
import { SHARED } from "../../machines/network.ts"
import { memberPair, pki, secured } from "../../pki/pki.ts"
import { flags, upToTheLast, type Sabotage } from "./sabotage.ts"

/** Only this lesson runs. */
const here = { from: 11, until: 11 } as const
/** Only this outcome runs, and fails. */
const only = (outcome: string) => ({ ...here, since: outcome, fails: [outcome] })
const boots = { fails: ["11 two members join"], blocks: 11, ...here } as const

/** Outcomes in which clients write before anything else happens. */
const WRITING = [
  "11 kube-apiserver uses",
  "11 a follower dies",
  "11 the leader dies",
  "11 two members die",
  "11 when they are back",
  "11 a leader behind",
  "11 a slow member",
  "11 a member whose disk",
  "11 a removed member",
  "11 compaction ends",
  "11 a member over its quota",
]
/** Outcomes that judge what clients have recorded. */
const JUDGING = [
  "11 watches are ordered",
  "11 watches are unique",
  "11 watches are reliable",
  "11 watches are atomic",
  "11 watches are resumable",
  "11 watches are bookmarkable",
  "11 the history",
  "11 every acknowledged write",
]

/** Lines that make a member lead. */
function lead({ name, address }: EtcdMemberPlan): string {
  const endpoints = etcdMembers.map(clientUrl).join(",")
  return `ID=$(etcdctl member list | grep ' ${name},' | cut -d, -f1)
ETCDCTL_ENDPOINTS=${endpoints} etcdctl move-leader "$ID" || ETCDCTL_ENDPOINTS=${endpoints} etcdctl endpoint status | grep '${address}.* true, false'`
}
const LEAD_FIRST = lead(etcdMembers[0])

/** Lines that take a member's port for the other members as soon as it is free. */
function takePort({ address }: EtcdMemberPlan): string {
  return `/run/byhand/node -e 'const server = require("net").createServer().on("error", () => setTimeout(open, 10))
const open = () => server.listen(2380, "${address}")
open()' >/dev/null 2>&1 &`
}

/** Lines that end etcd on their machine when it reaches another member no more. */
function endWithoutNetwork({ address }: EtcdMemberPlan): string {
  return `(
  while timeout 1 bash -c '</dev/tcp/${address}/2380'; do sleep 0.05; done
  pkill -KILL -x etcd
) >/dev/null 2>&1 &`
}

const RELAY = "etcd-relay.mjs"

/** Lines that let a relay answer those who connect to etcd of the first machine from now on. */
function relayed(mode: "watches" | "keys"): string {
  const { certificate, key } = memberPair(etcdMembers[0].name)
  const files = [secured.etcd.ca.certificate, certificate, key].join(" ")
  return `/run/byhand/node /tmp/${RELAY} 12379 ${etcdMembers[0].address}:${ETCD_PORT} ${files} ${mode} >/tmp/relay.log 2>&1 &
until ss -Htln sport = :12379 | grep -q .; do kill -0 $!; sleep 0.05; done
nft 'add table ip relay; add chain ip relay out { type nat hook output priority -100; }; add rule ip relay out ip daddr 127.0.0.1 tcp dport ${ETCD_PORT} redirect to :12379'`
}

/** Lines that put a program in the place of porcupine. It calls every history linearizable. */
const CONTENT_JUDGE = `cat >/usr/local/sbin/porcupine <<'EOF'
#!/bin/sh
cat >/dev/null
echo '{"verdict": "linearizable", "operations": 1, "keys": 1, "violations": []}'
EOF
chmod +x /usr/local/sbin/porcupine`

const all: readonly Sabotage[] = [
  {
    id: "member-of-another-ca",
    breaks: "the certificate that the second member shows to the others is signed by the CA of Kubernetes",
    on: "etcd-2",
    component: {
      etcd: flags({ "--peer-cert-file": pki.apiserver.certificate, "--peer-key-file": pki.apiserver.key }),
    },
    ...boots,
    ownClusterOnly: "only our own cluster has the certificate of kube-apiserver on every machine",
    finding: "peer-certificate-refused",
  },
  {
    id: "etcd-alarm-raised",
    breaks: "a client raises etcd's alarm NOSPACE when three members run",
    before: "11 kube-apiserver uses",
    script: `${exported(askingFirst(etcdMembers[0]))}
ID=$(etcdctl member list -w fields | sed -n 's/^"ID" : //p' | head -n 1)
curl -sf --cacert "$ETCDCTL_CACERT" --cert "$ETCDCTL_CERT" --key "$ETCDCTL_KEY" "$ETCDCTL_ENDPOINTS/v3/maintenance/alarm" -d '{"action": "ACTIVATE", "alarm": "NOSPACE", "memberID": "'$ID'"}'
etcdctl alarm list | grep NOSPACE`,
    ...here,
    fails: [...WRITING, ...JUDGING, "11 the check can fail", "11 a snapshot"],
    finding: "no-space",
  },
  {
    id: "member-never-promoted",
    breaks: "the third member joins as a learner, and its script does not promote it",
    on: "etcd-3",
    component: { etcd: (one) => ({ ...one, completion: [] }) },
    ownClusterOnly: "a script promotes the member in a line of its own, and not with the command that starts it",
    ...here,
    fails: ["11 two members join"],
    finding: "learner-not-promoted",
  },
  {
    id: "one-etcd-server",
    breaks: "kube-apiserver knows only the first member of etcd's cluster",
    component: { "kube-apiserver": flags({ "--etcd-servers": `https://127.0.0.1:${ETCD_PORT}` }) },
    ...only("11 kube-apiserver uses"),
    ownClusterOnly: "a script of lesson 11 starts kube-apiserver with the flags that it has, except this one",
    finding: "etcd-servers-incomplete",
  },
  {
    id: "no-way-to-a-member",
    breaks: "a rule of the first machine's routing leaves no way to the second member's port for clients",
    script: `ip rule add to ${etcdMembers[1].address} ipproto tcp dport ${ETCD_PORT} unreachable`,
    ...only("11 kube-apiserver uses"),
    finding: "etcd-unreachable",
  },
  {
    id: "member-removed-while-it-runs",
    breaks: "a client removes the third member from the cluster while it runs",
    before: "11 kube-apiserver uses",
    script: `${exported(askingFirst(etcdMembers[0]))}
ID=$(etcdctl member list | grep ' etcd-3,' | cut -d, -f1)
for _ in $(seq 60); do etcdctl member remove "$ID" && exit; sleep 0.5; done
exit 1`,
    ...only("11 kube-apiserver uses"),
    finding: "member-removed",
  },
  {
    id: "follower-without-its-port",
    breaks: "as soon as etcd of the second member dies, another program takes its port for the other members",
    on: "etcd-2",
    before: "11 a follower dies",
    // The first follower in the list of members is etcd-2 if etcd-1 leads.
    script: `${exported(askingFirst(etcdMembers[1]))}
${LEAD_FIRST}
${takePort(etcdMembers[1])}`,
    ...only("11 a follower dies"),
    finding: "port-taken",
  },
  {
    id: "leader-without-its-port",
    breaks:
      "as soon as etcd of the second member dies, which leads, another program takes its port for the other members",
    on: "etcd-2",
    before: "11 the leader dies",
    script: `${exported(askingFirst(etcdMembers[1]))}
${lead(etcdMembers[1])}
${takePort(etcdMembers[1])}`,
    ...only("11 the leader dies"),
    finding: "port-taken",
  },
  {
    id: "leader-ends-without-network",
    breaks: "etcd of the first machine, which leads, ends when it reaches the third member no more",
    before: "11 a leader behind",
    script: `${exported(askingFirst(etcdMembers[0]))}
${LEAD_FIRST}
${endWithoutNetwork(etcdMembers[2])}`,
    ...only("11 a leader behind"),
    finding: "etcd-not-running",
  },
  {
    id: "member-frozen-on-a-full-disk",
    breaks: "a signal freezes etcd of the second member, a follower, before its disk is full",
    on: "etcd-2",
    before: "11 a member whose disk",
    script: `${exported(askingFirst(etcdMembers[1]))}
${LEAD_FIRST}
(
  until mountpoint -q /var/lib/etcd && [ "$(df --output=avail /var/lib/etcd | tail -n 1)" -lt 4000 ]; do sleep 0.02; done
  pkill -STOP -x etcd
) >/dev/null 2>&1 &`,
    ...only("11 a member whose disk"),
    finding: "frozen",
  },
  {
    id: "learner-left-over",
    breaks: "a client adds a learner to etcd's cluster and never starts it",
    before: "11 a removed member",
    script: `${exported(askingFirst(etcdMembers[0]))}
for _ in $(seq 60); do etcdctl member add ghost --learner --peer-urls=https://10.77.0.9:2380 && exit; sleep 0.5; done
exit 1`,
    ...only("11 a removed member"),
    finding: "member-not-started",
  },
  {
    id: "compacted-all-the-time",
    breaks: "a client compacts etcd's history ten times in a second",
    before: "11 compaction ends",
    script: `${exported(askingFirst(etcdMembers[0]))}
(
  while sleep 0.1; do
    etcdctl compact "$(etcdctl endpoint status -w fields | sed -n 's/^"Revision" : //p')" || true
  done
) >/dev/null 2>&1 &`,
    ...only("11 compaction ends"),
    finding: "history-compacted",
  },
  {
    id: "member-ends-without-network",
    breaks: "etcd of the first machine, a follower, ends when it reaches the third member no more",
    before: "11 two members die",
    script: `${exported(askingFirst(etcdMembers[0]))}
${lead(etcdMembers[1])}
${endWithoutNetwork(etcdMembers[2])}`,
    ...only("11 two members die"),
    finding: "etcd-not-running",
  },
  {
    id: "key-of-another-client",
    breaks: "another client deletes the key of an outcome all the time",
    before: "11 a member over its quota",
    script: `${exported(askingFirst(etcdMembers[0]))}
(while sleep 0.05; do etcdctl del /over || true; done) >/dev/null 2>&1 &`,
    ...only("11 a member over its quota"),
    finding: "no-space",
  },
  {
    id: "slow-member-has-the-key",
    breaks: "a client has already written the key that the slow member must not have yet",
    before: "11 a slow member",
    script: `${exported(askingFirst(etcdMembers[0]))}
etcdctl put /slow early`,
    ...only("11 a slow member"),
    finding: "none",
  },
  {
    id: "watch-answers-tampered",
    breaks: "a relay in front of the first member sends answers of watches late, twice, in parts, or not at all",
    sends: RELAY,
    tool: "nft",
    before: "11 watches are ordered",
    script: `${exported(askingFirst(etcdMembers[0]))}
${LEAD_FIRST}
${relayed("watches")}`,
    ...here,
    since: "11 watches are ordered",
    fails: JUDGING.filter((name) => name.startsWith("11 watches")),
    finding: "stranger-at-etcd",
  },
  {
    id: "relay-that-lies",
    breaks: "a relay in front of the first member loses writes that it acknowledges, and answers reads as it did first",
    sends: RELAY,
    tool: "nft",
    before: "11 the history",
    script: relayed("keys"),
    ...here,
    since: "11 the history",
    fails: ["11 the history", "11 every acknowledged write"],
    finding: "stranger-at-etcd",
  },
  {
    id: "judge-that-finds-nothing",
    breaks: "porcupine calls every history linearizable",
    before: "11 the check can fail: with serializable",
    script: `${exported(askingFirst(etcdMembers[0]))}
${lead(etcdMembers[1])}
${CONTENT_JUDGE}`,
    ...only("11 the check can fail: with serializable"),
    finding: "none",
  },
  {
    id: "judge-that-misses-lost-writes",
    breaks: "porcupine calls a history linearizable in which acknowledged writes are lost",
    before: "11 the check can fail: with --unsafe",
    script: CONTENT_JUDGE,
    ...only("11 the check can fail: with --unsafe"),
    finding: "none",
  },
  {
    id: "shared-snapshot-removed",
    breaks: "a program on another machine removes the snapshot from the folder that all machines share",
    on: "etcd-3",
    before: "11 a snapshot",
    script: `(while sleep 0.02; do rm -f ${SHARED}/snap.db; done) >/dev/null 2>&1 &`,
    ...only("11 a snapshot"),
    finding: "snapshot-missing",
  },
]

/** Sabotages that break an outcome of lesson 11: a member does not join, or the cluster loses one. */
export const outcomes11 = all.map(upToTheLast)

import { ETCD_PORT } from "../../components/etcd.ts"
import { askingFirst, clientUrl, etcdMembers, exported } from "../../components/etcd-members.ts"
import { pki } from "../../pki/pki.ts"
import { flags, upToTheLast, type Sabotage } from "./sabotage.ts"

/** Only this lesson runs. */
const here = { from: 11, until: 11 } as const
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

const all: readonly Sabotage[] = [
  {
    id: "member-of-another-ca",
    breaks: "the certificate that the second member shows to the others is signed by the CA of Kubernetes",
    on: "etcd-2",
    component: {
      etcd: flags({ "--peer-cert-file": pki.apiserver.certificate, "--peer-key-file": pki.apiserver.key }),
    },
    ...boots,
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
    ...here,
    fails: ["11 two members join"],
    finding: "learner-not-promoted",
  },
  {
    id: "one-etcd-server",
    breaks: "kube-apiserver knows only the first member of etcd's cluster",
    component: { "kube-apiserver": flags({ "--etcd-servers": `https://127.0.0.1:${ETCD_PORT}` }) },
    ...here,
    since: "11 kube-apiserver uses",
    fails: ["11 kube-apiserver uses"],
    finding: "etcd-servers-incomplete",
  },
  {
    id: "no-way-to-a-member",
    breaks: "a rule of the first machine's routing leaves no way to the second member's port for clients",
    script: `ip rule add to ${etcdMembers[1].address} ipproto tcp dport ${ETCD_PORT} unreachable`,
    ...here,
    since: "11 kube-apiserver uses",
    fails: ["11 kube-apiserver uses"],
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
    ...here,
    since: "11 kube-apiserver uses",
    fails: ["11 kube-apiserver uses"],
    finding: "member-removed",
  },
  {
    id: "follower-without-its-port",
    breaks: "as soon as etcd of the second member dies, another program takes its port for the other members",
    on: "etcd-2",
    before: "11 a follower dies",
    // The first follower in the list of members is etcd-2 if etcd-1 leads.
    script: `${exported(askingFirst(etcdMembers[1]))}
ID=$(etcdctl member list | grep ' etcd-1,' | cut -d, -f1)
etcdctl move-leader "$ID" --endpoints=${etcdMembers.map(clientUrl).join(",")} || etcdctl endpoint status | grep 'true, false'
/run/byhand/node -e 'const server = require("net").createServer().on("error", () => setTimeout(open, 10))
const open = () => server.listen(2380, "${etcdMembers[1].address}")
open()' >/dev/null 2>&1 &`,
    ...here,
    since: "11 a follower dies",
    fails: ["11 a follower dies"],
    finding: "port-taken",
  },
  {
    id: "learner-left-over",
    breaks: "a client adds a learner to etcd's cluster and never starts it",
    before: "11 a removed member",
    script: `${exported(askingFirst(etcdMembers[0]))}
for _ in $(seq 60); do etcdctl member add ghost --learner --peer-urls=https://10.77.0.9:2380 && exit; sleep 0.5; done
exit 1`,
    ...here,
    since: "11 a removed member",
    fails: ["11 a removed member"],
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
    ...here,
    since: "11 compaction ends",
    fails: ["11 compaction ends"],
    finding: "history-compacted",
  },
]

/** Sabotages that break an outcome of lesson 11: a member does not join, or the cluster loses one. */
export const outcomes11 = all.map(upToTheLast)

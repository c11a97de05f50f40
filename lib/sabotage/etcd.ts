import { flags, listen, type Sabotage } from "./sabotage.ts"

const TWO_MEMBERS = "default=http://localhost:2380,other=http://127.0.0.1:2390"
const boots = { fails: ["01 etcd starts"], blocks: 1 } as const
const etcdFlags = (changes: Readonly<Record<string, string | null>>) => ({ component: { "etcd": flags(changes) } })

/** What keeps etcd from starting, or from serving. */
export const etcd: readonly Sabotage[] = [
  { id: "etcd-port-taken", breaks: "another program holds etcd's port for clients", script: listen(2379), ...boots, finding: "port-taken" },
  { id: "etcd-peer-port-taken", breaks: "another program holds etcd's port for its peers", script: listen(2380), ...boots, finding: "port-taken" },
  { id: "etcd-flag-removed", breaks: "etcd is given a flag that went years ago", ...etcdFlags({ "--enable-v2": "true" }), ...boots, finding: "removed-flag" },
  { id: "etcd-flag-experimental", breaks: "etcd is given a flag that lost its prefix", ...etcdFlags({ "--experimental-corrupt-check-time": "1m" }), ...boots, finding: "removed-flag" },
  { id: "etcd-flag-mistyped", breaks: "a flag of etcd's is mistyped", ...etcdFlags({ "--data-dir": null, "--datadir": "/var/lib/etcd" }), ...boots, finding: "unknown-flag" },
  { id: "etcd-address-without-scheme", breaks: "etcd's address lacks its scheme", ...etcdFlags({ "--listen-client-urls": "127.0.0.1:2379" }), ...boots, finding: "invalid-value" },
  { id: "etcd-address-of-another-host", breaks: "etcd is to listen on an address that this host has not", ...etcdFlags({ "--listen-client-urls": "http://192.0.2.1:2379" }), ...boots, finding: "no-such-address" },
  { id: "etcd-listens-elsewhere", breaks: "etcd listens on another port than everybody expects", ...etcdFlags({ "--listen-client-urls": "http://127.0.0.1:2399" }), ...boots, finding: "etcd-listens-elsewhere" },
  { id: "etcd-advertises-elsewhere", breaks: "etcd tells its clients an address where it does not listen", ...etcdFlags({ "--advertise-client-urls": "http://127.0.0.1:2399" }),
    fails: ["01 etcd starts"], until: 2, finding: "etcd-advertises-elsewhere" },
  { id: "etcd-advertises-nothing", breaks: "etcd is not told what address to tell its clients", ...etcdFlags({ "--advertise-client-urls": null }), ...boots, finding: "advertised-address-missing" },
  { id: "etcd-peer-address-mismatch", breaks: "etcd's peer address is another than its cluster lists", ...etcdFlags({ "--initial-advertise-peer-urls": "http://127.0.0.1:2390" }), ...boots, finding: "peer-address-mismatch" },
  { id: "etcd-member-name-mismatch", breaks: "etcd's name is not among its cluster's members", ...etcdFlags({ "--initial-cluster": "one=http://localhost:2380" }), ...boots, finding: "member-name-mismatch" },
  { id: "etcd-data-folder-read-only", breaks: "etcd's data folder cannot be written", script: "mkdir -p /var/lib/etcd; mount -t tmpfs -o ro tmpfs /var/lib/etcd", ...boots, finding: "data-folder-not-writable" },
  { id: "etcd-data-folder-is-a-file", breaks: "a file lies where etcd's data folder should be", script: "touch /var/lib/etcd", ...boots, finding: "data-folder-not-writable" },
  { id: "etcd-disk-full", breaks: "there is no room where etcd keeps its data", script: "mkdir -p /var/lib/etcd; mount -t tmpfs -o size=16m tmpfs /var/lib/etcd", ...boots, finding: "disk-full" },
  { id: "etcd-of-a-larger-cluster", breaks: "etcd belongs to a cluster whose other member is not there",
    ...etcdFlags({ "--initial-cluster": TWO_MEMBERS }), ...boots, finding: "out-of-quorum" },
  { id: "etcd-peer-of-another-cluster", breaks: "the other member of etcd's cluster was started for another cluster",
    script: `etcd --name=other --data-dir=/var/lib/other --listen-peer-urls=http://127.0.0.1:2390 --initial-advertise-peer-urls=http://127.0.0.1:2390 --listen-client-urls=http://127.0.0.1:2398 \\
  --advertise-client-urls=http://127.0.0.1:2398 --initial-cluster=${TWO_MEMBERS} --initial-cluster-token=another >/dev/null 2>&1 &`,
    ...etcdFlags({ "--initial-cluster": TWO_MEMBERS }), ...boots, finding: "peer-of-another-cluster" },
  { id: "etcd-loses-its-quorum", breaks: "a second member is added that nobody starts",
    before: "01 put says OK", script: "etcdctl member add ghost --peer-urls=http://127.0.0.1:2999",
    fails: ["01 put says OK", "01 etcd's API holds", "01 each put", "01 a watch", "01 the key outlives", "02 kube-apiserver starts"], blocks: 2, finding: "out-of-quorum" },
  { id: "etcd-quota-used-up", breaks: "etcd's quota is small, and somebody fills it", ...etcdFlags({ "--quota-backend-bytes": "1000000" }),
    before: "01 put says OK", script: "head -c 700000 /dev/zero | tr '\\0' x >/tmp/big\nuntil etcdctl alarm list | grep -q NOSPACE; do etcdctl put /big </tmp/big || true; sleep 0.1; done\nrm /tmp/big",
    fails: ["01 put says OK", "01 etcd's API holds", "01 each put", "01 a watch", "01 the key outlives", "02 kube-apiserver starts"], blocks: 2, finding: "no-space" },
  { id: "etcd-killed", breaks: "etcd dies under a running kube-apiserver", before: "02 what kube-apiserver makes", script: "pkill -KILL -x etcd; while pidof etcd; do sleep 0.05; done",
    fails: ["02 what kube-apiserver makes"], until: 2, finding: "etcd-not-running" },
  { id: "etcd-frozen", breaks: "etcd is stopped as soon as it starts, and hangs", script: "(until pkill -STOP -x etcd; do sleep 0.01; done) >/dev/null 2>&1 &", ...boots, finding: "frozen" },
]

import type { Sabotage } from "./sabotage.ts"

/** Sabotages that break an outcome of lesson 07 in a running cluster. */
export const outcomes07: readonly Sabotage[] = [
  {
    id: "requests-lost",
    breaks: "requests to the Pod are refused for one second when kube-apiserver is killed",
    before: "07 scheduler and apiserver",
    script: `kubectl run hello --image=nginx || true
kubectl wait --for=condition=Ready --timeout=60s pod/hello
ip=$(kubectl get pod hello -o jsonpath='{.status.podIP}')
(while pidof kube-apiserver; do sleep 0.02; done
ip route add unreachable "$ip"
sleep 1
ip route del unreachable "$ip") >/dev/null 2>&1 &`,
    fails: ["07 scheduler and apiserver"],
    finding: "none",
  },
  {
    id: "pod-made-anew",
    breaks: "the Pod is deleted and created again after the control plane died",
    before: "07 restarted on",
    script: `kubectl delete pod hello --now
kubectl run hello --image=nginx
kubectl wait --for=condition=Ready --timeout=60s pod/hello`,
    fails: ["07 restarted on"],
    finding: "pod-made-anew",
  },
  {
    id: "kubelet-frozen-late",
    breaks: "SIGSTOP stops the kubelet before it has to act alone",
    before: "07 the kubelet acts alone",
    script: "pkill -STOP -x kubelet",
    fails: ["07 the kubelet acts alone", "07 etcd lost without", "07 etcd lost with a"],
    finding: "frozen",
  },
  {
    id: "another-apiserver-in-its-place",
    breaks: "another program takes the port of the killed kube-apiserver",
    before: "07 the kubelet acts alone",
    // The program starts beforehand and tries again and again, because kube-apiserver starts again after a second.
    script: `/run/byhand/node -e 'const take = () => require("net").createServer().on("error", () => setTimeout(take, 5)).listen(6443, "127.0.0.1"); take()' >/dev/null 2>&1 &`,
    fails: ["07 the kubelet acts alone"],
    blocks: 7,
    finding: "port-taken",
  },
  {
    id: "etcd-not-lost",
    breaks: "another program restores etcd's data as soon as the data is gone",
    before: "07 etcd lost without",
    script: `etcdctl snapshot save /tmp/own.db
etcdutl snapshot restore /tmp/own.db --data-dir=/var/lib/etcd.kept
/run/byhand/node -e 'const fs = require("fs"); const back = () => { if (fs.existsSync("/var/lib/etcd/member")) setTimeout(back, 1); else fs.renameSync("/var/lib/etcd.kept/member", "/var/lib/etcd/member") }; back()' >/dev/null 2>&1 &`,
    fails: ["07 etcd lost without"],
    finding: "etcd-not-lost",
  },
  {
    id: "snapshot-removed",
    breaks: "the backup is deleted",
    before: "07 etcd lost with a",
    script: "rm /tmp/snap.db",
    fails: ["07 etcd lost with a"],
    finding: "snapshot-missing",
  },
  {
    id: "snapshot-cut",
    breaks: "the backup file is truncated",
    before: "07 etcd lost with a",
    script: "truncate --size=100K /tmp/snap.db",
    fails: ["07 etcd lost with a"],
    finding: "snapshot-damaged",
  },
]

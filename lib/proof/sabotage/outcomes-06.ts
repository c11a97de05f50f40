import { flags, type Sabotage } from "./sabotage.ts"

/** Sabotages that break an outcome of lesson 06 in a running cluster. */
export const outcomes06: readonly Sabotage[] = [
  {
    id: "quota-used-up",
    breaks: "a ResourceQuota allows no Pods",
    before: "06 kubectl run hello",
    // kube-controller-manager, which would write the quota's status, does not run. The script writes the status
    // instead.
    script: `kubectl create quota few --hard=pods=0
kubectl patch quota few --subresource=status --type=merge -p '{"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}}'
until kubectl run probe --image=nginx --dry-run=server 2>&1 | grep -q 'exceeded quota'; do sleep 0.1; done`,
    fails: ["06 "],
    until: 6,
    finding: "quota-used-up",
  },
  {
    id: "history-compacted",
    breaks: "etcd's old revisions are compacted",
    before: "06 revision by revision",
    script: `etcdctl compact "$(etcdctl get / -w json | sed 's/.*"revision":\\([0-9]*\\).*/\\1/')"`,
    fails: ["06 revision by revision"],
    finding: "history-compacted",
  },
  {
    id: "events-deleted",
    breaks: "all events are deleted",
    before: "06 the events name",
    script: "kubectl delete events --all",
    fails: ["06 the events name"],
    finding: "events-gone",
  },
  {
    id: "pods-in-another-etcd",
    breaks: "kube-apiserver stores Pods in a separate etcd",
    component: { "kube-apiserver": flags({ "--etcd-servers-overrides": "/pods#http://127.0.0.1:2381" }) },
    script: `etcd --data-dir=/var/lib/etcd-pods --listen-client-urls=http://127.0.0.1:2381 --advertise-client-urls=http://127.0.0.1:2381 --listen-peer-urls=http://127.0.0.1:2382 \
  --initial-advertise-peer-urls=http://127.0.0.1:2382 --initial-cluster=default=http://127.0.0.1:2382 >/dev/null 2>&1 &`,
    fails: ["04 without a scheduler", "06 kubectl run hello", "06 revision by revision", "06 it lies at"],
    until: 6,
    finding: "kept-in-another-etcd",
  },
  {
    id: "route-to-nowhere",
    breaks: "a route of this machine makes the Pod unreachable",
    before: "06 nginx answers",
    script: "ip route add unreachable \"$(kubectl get pod hello -o jsonpath='{.status.podIP}')\"",
    fails: ["06 nginx answers", "06 kubectl logs"],
    until: 6,
    finding: "route-to-nowhere",
  },
  {
    id: "page-changed",
    breaks: "nginx's page is changed",
    before: "06 nginx answers",
    script: "kubectl exec hello -- sh -c 'echo Hello >/usr/share/nginx/html/index.html'",
    fails: ["06 nginx answers"],
    finding: "another-page",
  },
  {
    id: "another-program",
    breaks: "the Pod is deleted and created again with another command",
    before: "06 its process is a child",
    script: `kubectl delete pod hello --now
kubectl run hello --image=nginx --command -- sh -c 'nginx -g "daemon off;"; true'
kubectl wait --for=condition=Ready --timeout=60s pod/hello`,
    fails: ["06 its process is a child"],
    finding: "another-program",
  },
  {
    id: "kubelet-refuses-apiserver",
    breaks: "kube-apiserver has no client certificate for the kubelet",
    component: { "kube-apiserver": flags({ "--kubelet-client-certificate": null, "--kubelet-client-key": null }) },
    fails: ["05 its own port", "06 kubectl logs"],
    finding: "kubelet-refuses-apiserver",
  },
  {
    id: "kubelet-not-found",
    breaks: "the Node's name cannot be resolved",
    before: "06 kubectl logs",
    script: "echo 127.0.0.1 localhost >/etc/hosts",
    fails: ["06 kubectl logs"],
    finding: "kubelet-not-found",
  },
]

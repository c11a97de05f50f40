import { flags, type Sabotage } from "./sabotage.ts"

/** What lesson 06 documents, broken in a cluster that runs. */
export const outcomes06: readonly Sabotage[] = [
  {
    id: "quota-used-up",
    breaks: "somebody allows no Pod more",
    before: "06 kubectl run hello",
    // What kube-controller-manager would count is written by hand.
    script: `kubectl create quota few --hard=pods=0
kubectl patch quota few --subresource=status --type=merge -p '{"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}}'
until kubectl run probe --image=nginx --dry-run=server 2>&1 | grep -q 'exceeded quota'; do sleep 0.1; done`,
    fails: ["06 "],
    until: 6,
    finding: "quota-used-up",
  },
  {
    id: "history-compacted",
    breaks: "etcd's old revisions are thrown away",
    before: "06 revision by revision",
    script: `etcdctl compact "$(etcdctl get / -w json | sed 's/.*"revision":\\([0-9]*\\).*/\\1/')"`,
    fails: ["06 revision by revision"],
    finding: "history-compacted",
  },
  {
    id: "events-deleted",
    breaks: "somebody deletes all events",
    before: "06 the events name",
    script: "kubectl delete events --all",
    fails: ["06 the events name"],
    finding: "events-gone",
  },
  {
    id: "pods-in-another-etcd",
    breaks: "kube-apiserver keeps Pods in an etcd of their own",
    component: { "kube-apiserver": flags({ "--etcd-servers-overrides": "/pods#http://127.0.0.1:2381" }) },
    script: `etcd --data-dir=/var/lib/etcd-pods --listen-client-urls=http://127.0.0.1:2381 --advertise-client-urls=http://127.0.0.1:2381 --listen-peer-urls=http://127.0.0.1:2382 \
  --initial-advertise-peer-urls=http://127.0.0.1:2382 --initial-cluster=default=http://127.0.0.1:2382 >/dev/null 2>&1 &`,
    fails: ["04 without a scheduler", "06 kubectl run hello", "06 revision by revision", "06 it lies at"],
    until: 6,
    finding: "kept-in-another-etcd",
  },
  {
    id: "route-to-nowhere",
    breaks: "a route of this machine lets nothing through to the Pod",
    before: "06 nginx answers",
    script: "ip route add unreachable \"$(kubectl get pod hello -o jsonpath='{.status.podIP}')\"",
    fails: ["06 nginx answers", "06 kubectl logs"],
    until: 6,
    finding: "route-to-nowhere",
  },
  {
    id: "page-changed",
    breaks: "somebody changes nginx's page",
    before: "06 nginx answers",
    script: "kubectl exec hello -- sh -c 'echo Hello >/usr/share/nginx/html/index.html'",
    fails: ["06 nginx answers"],
    finding: "another-page",
  },
  {
    id: "another-program",
    breaks: "somebody makes the Pod anew, with a command of its own",
    before: "06 its process is a child",
    script: `kubectl delete pod hello --now
kubectl run hello --image=nginx --command -- sh -c 'nginx -g "daemon off;"; true'
kubectl wait --for=condition=Ready --timeout=60s pod/hello`,
    fails: ["06 its process is a child"],
    finding: "another-program",
  },
  {
    id: "kubelet-refuses-apiserver",
    breaks: "kube-apiserver has no certificate for the kubelet",
    component: { "kube-apiserver": flags({ "--kubelet-client-certificate": null, "--kubelet-client-key": null }) },
    fails: ["05 its own port", "06 kubectl logs"],
    finding: "kubelet-refuses-apiserver",
  },
  {
    id: "kubelet-not-found",
    breaks: "the Node's name is known to nobody",
    before: "06 kubectl logs",
    script: "echo 127.0.0.1 localhost >/etc/hosts",
    fails: ["06 kubectl logs"],
    finding: "kubelet-not-found",
  },
]

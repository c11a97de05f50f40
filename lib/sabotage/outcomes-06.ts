import { flags, type Sabotage } from "./sabotage.ts"

/** What lesson 06 documents, broken in a cluster that runs. */
export const outcomes06: readonly Sabotage[] = [
  { id: "quota-nobody-counts", breaks: "somebody limits how many Pods there may be, and nobody counts them", before: "06 kubectl run hello", script: "kubectl create quota few --hard=pods=10\nuntil kubectl run probe --image=nginx --dry-run=server 2>&1 | grep -q 'status unknown'; do sleep 0.1; done",
    fails: ["06 "], until: 6, finding: "quota-uncounted" },
  { id: "history-compacted", breaks: "etcd's old revisions are thrown away", before: "06 revision by revision",
    script: `etcdctl compact "$(etcdctl get / -w json | sed 's/.*"revision":\\([0-9]*\\).*/\\1/')"`, fails: ["06 revision by revision"], finding: "history-compacted" },
  { id: "events-deleted", breaks: "somebody deletes all events", before: "06 the events name", script: "kubectl delete events --all", fails: ["06 the events name"], finding: "events-gone" },
  { id: "pod-stored-as-protobuf", breaks: "a second kube-apiserver writes objects as protobuf", before: "06 it lies at",
    script: `tr '\\0' '\\n' </proc/$(pidof kube-apiserver)/cmdline | grep -v -- --storage-media-type | sed 's/--secure-port=.*/--secure-port=6444/' >/tmp/second
xargs -d '\\n' -a /tmp/second env >/tmp/second.log 2>&1 &
until kubectl --server=https://127.0.0.1:6444 annotate pod hello --overwrite seen=yes >/dev/null 2>&1; do sleep 0.1; done
kill -KILL $!`, fails: ["06 it lies at"], finding: "stored-as-protobuf" },
  { id: "page-changed", breaks: "somebody changes nginx's page", before: "06 nginx answers", script: "kubectl exec hello -- sh -c 'echo Hello >/usr/share/nginx/html/index.html'", fails: ["06 nginx answers"], finding: "another-page" },
  { id: "another-program", breaks: "somebody makes the Pod anew, with a command of its own", before: "06 its process is a child",
    script: `kubectl delete pod hello --now
kubectl run hello --image=nginx --command -- sh -c 'nginx -g "daemon off;"; true'
kubectl wait --for=condition=Ready --timeout=60s pod/hello`, fails: ["06 its process is a child"], finding: "another-program" },
  { id: "kubelet-refuses-apiserver", breaks: "kube-apiserver has no certificate for the kubelet", component: { "kube-apiserver": flags({ "--kubelet-client-certificate": null, "--kubelet-client-key": null }) },
    fails: ["06 kubectl logs"], finding: "kubelet-refuses-apiserver" },
  { id: "kubelet-not-found", breaks: "the Node's name is known to nobody", before: "06 kubectl logs", script: "echo 127.0.0.1 localhost >/etc/hosts", fails: ["06 kubectl logs"], finding: "kubelet-not-found" },
]

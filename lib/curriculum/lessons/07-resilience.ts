import type { LessonSpec } from "../lesson-spec.ts"
import { reference } from "../transcript/reference.ts"
import { POD_IP } from "../transcript/bash.ts"

/** Lesson 07. */
export const resilience = {
  number: 7,
  slug: "resilience",
  title: "resilience: all state is in etcd",
  row: {
    topic: "resilience",
    proves: "the control plane is killed and nginx loses no request; etcd is lost, with and without a backup",
  },
  components: ["etcd", "kube-apiserver", "kube-scheduler", "containerd", "kubelet"],
  parts: [
    {
      lines: ({ again, kill }) => [
        "pod_identity() { kubectl get pod hello -o jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'; }",
        "BEFORE=$(pod_identity)",
        POD_IP,
        kill([reference["kube-scheduler"], reference["kube-apiserver"]]),
        "if kubectl get pods; then exit 1; fi # refused",
        `curl -sf "http://$POD_IP" >/dev/null # nginx still answers`,
        again(reference["kube-apiserver"]),
        again(reference["kube-scheduler"]),
        `[ "$(pod_identity)" = "$BEFORE" ] # the same Pod`,
        "kubectl run second --image=nginx",
        "kubectl wait --for=condition=Ready --timeout=60s pod/second",
        "kubectl get pods -o wide",
      ],
    },
  ],
  outcomes: {
    "scheduler and apiserver are killed: kubectl is refused, nginx loses no request": {
      see: "pkill -KILL 'kube-(scheduler|apiserver)'; kubectl get pods; curl http://POD_IP",
      permits: "restart",
    },
    "restarted on the same etcd: the same Pod, the same container, no restart": {
      see: "kube-apiserver …; kube-scheduler …; kubectl get pod hello -o yaml",
      permits: "restart",
    },
    "and a new Pod gets scheduled": {
      see: "kubectl run after --image=nginx; kubectl get pod after",
      permits: "restart",
    },
    "the kubelet acts alone: with the API down, it restarts the container whose process is killed": {
      see: "pkill -KILL kube-apiserver; ctr -n k8s.io tasks kill --signal SIGKILL CONTAINER; curl http://POD_IP",
      permits: "restart",
    },
    "etcd lost without a backup: the Pod is gone": {
      see: "etcdctl snapshot save snap.db; rm -r /var/lib/etcd; etcd …; kubectl get pod hello",
      permits: "destroy",
    },
    "etcd lost with a backup: the Pod is back": {
      see: "etcdutl snapshot restore snap.db --data-dir=/var/lib/etcd; etcd …; kubectl get pod hello",
      permits: "destroy",
    },
  },
} satisfies LessonSpec
